package policy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/watch"
)

// mountConfigMap puts files into a folder as a kubelet does: a folder named by the
// time, a link ..data to it that is swapped at once, and a link a file into ..data.
func mountConfigMap(t testing.TB, dir, stamp string, files map[string]string) {
	t.Helper()
	write(t, filepath.Join(dir, stamp), files)
	old, _ := os.Readlink(filepath.Join(dir, "..data"))
	require.NoError(t, os.Symlink(stamp, filepath.Join(dir, "..data_tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	for name := range files {
		link := filepath.Join(dir, name)
		if _, err := os.Lstat(link); err != nil {
			require.NoError(t, os.Symlink(filepath.Join("..data", name), link))
		}
	}
	if old != "" {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, old)))
	}
}

// watched is a store of a path that was loaded and is watched until the test ends.
func watched(t testing.TB, path string, opts StoreOptions) *Store {
	t.Helper()
	s := NewStore(source.FromPath(path), opts)
	require.NoError(t, s.Load(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Watch(ctx, path) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

const another = "package scanflow.strategies.another\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n"

// idle stands in the place of another until it is changed.
const idle = "package scanflow.strategies.idle\n\n# nothing yet\n"

func TestReloads(t *testing.T) {
	flat := map[string]string{"load.rego": lib, "autoscale.rego": autoscale}
	replace := func(t *testing.T, path, text string) {
		require.NoError(t, os.WriteFile(path+".tmp", []byte(text), 0o644))
		require.NoError(t, os.Rename(path+".tmp", path))
	}
	for name, c := range map[string]struct {
		make   func(t *testing.T, dir string) string
		change func(t *testing.T, dir string)
	}{
		"an edit in place": {nil, func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "another.rego"), []byte(another), 0o644))
		}},
		"a rename over a file": {nil, func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "another.rego"), another)
		}},
		"a new sub-folder": {nil, func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"strategies/far/below/another.rego": another})
		}},
		"a folder moved in": {nil, func(t *testing.T, dir string) {
			from := filepath.Join(t.TempDir(), "in")
			write(t, from, map[string]string{"another.rego": another})
			require.NoError(t, os.Rename(from, filepath.Join(dir, "in")))
		}},
		"a ConfigMap's swap": {func(t *testing.T, dir string) string {
			mountConfigMap(t, dir, "..2026_01", flat)
			return dir
		}, func(t *testing.T, dir string) {
			mountConfigMap(t, dir, "..2026_02", with(flat, "another.rego", another))
		}},
		"a bundle replaced": {func(t *testing.T, dir string) string {
			from, to := t.TempDir(), filepath.Join(dir, "policies.tar.gz")
			write(t, from, basic())
			buildBundle(t, from, to)
			return to
		}, func(t *testing.T, dir string) {
			from, to := t.TempDir(), filepath.Join(t.TempDir(), "new.tar.gz")
			write(t, from, with(basic(), "another.rego", another))
			buildBundle(t, from, to)
			require.NoError(t, os.Rename(to, filepath.Join(dir, "policies.tar.gz")))
		}},
		"a file behind a link": {func(t *testing.T, dir string) string {
			elsewhere := t.TempDir()
			write(t, elsewhere, map[string]string{"another.rego": idle})
			write(t, dir, basic())
			require.NoError(t, os.Symlink(filepath.Join(elsewhere, "another.rego"), filepath.Join(dir, "another.rego")))
			return dir
		}, func(t *testing.T, dir string) {
			real, err := filepath.EvalSymlinks(filepath.Join(dir, "another.rego"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(real, []byte(another), 0o644))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := dir
			if c.make != nil {
				path = c.make(t, dir)
			} else {
				write(t, dir, with(basic(), "another.rego", idle))
			}
			s := watched(t, path, StoreOptions{})
			before := s.Pin()
			c.change(t, dir)
			require.Eventually(t, func() bool { return s.Live().Has("another") }, 10*time.Second, 5*time.Millisecond, "%v", s.Status())
			require.NotEqual(t, before.ID(), s.Pin().ID())
			require.Equal(t, s.Pin().ID(), s.Status().Revision)
			require.Len(t, before.Evaluate(context.Background(), []string{"serving.autoscale"}, document(70)).Proposals, 1, "a pinned revision goes on")
			// The watch must survive the first change.
			if !strings.HasSuffix(path, ".tar.gz") && name != "a ConfigMap's swap" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "third.rego"), []byte(with(one("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}"))["x.rego"]), 0o644))
				require.Eventually(t, func() bool { return s.Live().Has("x") }, 10*time.Second, 5*time.Millisecond)
				require.NoError(t, os.Remove(filepath.Join(dir, "third.rego")))
				require.Eventually(t, func() bool { return !s.Live().Has("x") }, 10*time.Second, 5*time.Millisecond)
			}
		})
	}
}

// heldClock only moves when told to.
type heldClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
}

func (c *heldClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *heldClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.timers[ch] = c.now.Add(d)
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, ch)
	}
}

func (c *heldClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, at := range c.timers {
		if !at.After(c.now) {
			ch <- at
			delete(c.timers, ch)
		}
	}
}

func (c *heldClock) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

var _ engine.Clock = (*heldClock)(nil)

func TestChangesWithoutEventsAreFoundByTheirContent(t *testing.T) {
	// The policies are watched at another path than they are read from: no event comes.
	dir := t.TempDir()
	write(t, dir, basic())
	clock := &heldClock{now: noon, timers: map[chan time.Time]time.Time{}}
	s := NewStore(source.FromPath(dir), StoreOptions{Clock: clock})
	require.NoError(t, s.Load(context.Background()))
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	quietPath := t.TempDir()
	wg.Go(func() { s.Watch(ctx, quietPath) })
	defer func() { cancel(); wg.Wait() }()
	require.Eventually(t, func() bool { return clock.waiting() == 1 }, 10*time.Second, time.Millisecond)
	tried := s.Status().Successes
	write(t, dir, map[string]string{"another.rego": another})
	clock.forward(watch.PollEvery - time.Second)
	require.False(t, s.Live().Has("another"))
	clock.forward(time.Second)
	require.Eventually(t, func() bool { return s.Live().Has("another") }, 10*time.Second, time.Millisecond)
	require.Equal(t, tried+1, s.Status().Successes)
	require.Equal(t, clock.Now(), s.Status().Loaded)
}

func TestAnEditBetweenLoadAndWatchIsNotMissed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, basic())
	s := NewStore(source.FromPath(dir), StoreOptions{})
	require.NoError(t, s.Load(context.Background()))
	write(t, dir, map[string]string{"another.rego": another})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Watch(ctx, dir) })
	defer func() { cancel(); wg.Wait() }()
	require.Eventually(t, func() bool { return s.Live().Has("another") }, 10*time.Second, time.Millisecond)
}

func TestAFolderThatGoesAndComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	write(t, dir, basic())
	s := watched(t, dir, StoreOptions{})
	live := s.Pin().ID()
	require.NoError(t, os.Rename(dir, dir+"-away"))
	require.Eventually(t, func() bool { return s.Status().Err != nil }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, s.Status().Err, os.ErrNotExist)
	require.Equal(t, live, s.Pin().ID())
	write(t, dir, with(basic(), "another.rego", another))
	require.Eventually(t, func() bool { return s.Live().Has("another") }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.Status().Err)
}
