package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/watch"
)

func watching(t *testing.T, o watch.Options) *atomic.Int64 {
	var calls atomic.Int64
	o.Changed = func(context.Context) { calls.Add(1) }
	o.Log = hclog.NewNullLogger()
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { watch.Watch(ctx, o) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	require.Eventually(t, func() bool { return calls.Load() == 1 }, 10*time.Second, time.Millisecond, "once at the start")
	return &calls
}

func TestManyChangesAtOnceAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	clock := engine.NewManualClock(time.Unix(0, 0))
	calls := watching(t, watch.Options{Folders: func() []string { return []string{dir} }, Clock: clock})
	require.Eventually(t, func() bool { return clock.Waiting() == 1 }, 10*time.Second, time.Millisecond, "only the poll waits")
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	require.Eventually(t, func() bool { return clock.Waiting() == 2 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 1, calls.Load(), "not before it is quiet")
	require.Eventually(t, func() bool { clock.Advance(10 * time.Millisecond); return calls.Load() == 2 }, 10*time.Second, time.Millisecond)
}

func TestWhatDoesNotConcernIsNotTold(t *testing.T) {
	dir := t.TempDir()
	calls := watching(t, watch.Options{
		Folders: func() []string { return []string{dir} },
		Filter:  func(e fsnotify.Event) bool { return filepath.Base(e.Name) == "wanted" },
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wanted"), nil, 0o644))
	require.Eventually(t, func() bool { return calls.Load() == 2 }, 10*time.Second, time.Millisecond)
}

func TestWithoutEventsItLooksFromTimeToTime(t *testing.T) {
	clock := engine.NewManualClock(time.Unix(0, 0))
	calls := watching(t, watch.Options{Folders: func() []string { return nil }, Clock: clock})
	require.Eventually(t, func() bool { return clock.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	clock.Advance(watch.PollEvery)
	require.Eventually(t, func() bool { return calls.Load() == 2 }, 10*time.Second, time.Millisecond)
}

func TestAFolderThatIsNewIsWatchedBeforeItIsRead(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	calls := watching(t, watch.Options{Folders: func() []string {
		if _, err := os.Stat(below); err == nil {
			return []string{dir, below}
		}
		return []string{dir}
	}})
	require.NoError(t, os.Mkdir(below, 0o755))
	require.Eventually(t, func() bool { return calls.Load() == 2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(below, "a"), nil, 0o644))
	require.Eventually(t, func() bool { return calls.Load() == 3 }, 10*time.Second, time.Millisecond)
}
