package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// gate is a write that blocks the writer until it is opened.
type gate struct{ inside, opened chan struct{} }

func hold(t *testing.T, j *Journal) *gate {
	t.Helper()
	g := &gate{make(chan struct{}, 2), make(chan struct{})}
	go func() {
		_ = j.writer.do(context.Background(), func(context.Context, *store) error {
			g.inside <- struct{}{}
			<-g.opened
			return nil
		})
	}()
	<-g.inside
	return g
}

func (w *writer) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending)
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond)
}

func TestWritesShareATransaction(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.Intend(t.Context(), intent("taken", 1)))
	trips := 0
	report := j.writer.report
	g := hold(t, j)
	j.writer.report = func(f *FaultError) { trips++; report(f) } // the loop stands at the gate
	const callers = 40
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			in := intent(fmt.Sprint("i-", i), i)
			if i%10 == 3 {
				in.Identity = "taken" // by another target: a conflict
			}
			errs[i] = j.Intend(context.Background(), in)
		})
	}
	eventually(t, func() bool { return j.writer.queued() == callers })
	close(g.opened)
	wg.Wait()
	for i, err := range errs {
		if i%10 == 3 {
			require.ErrorIs(t, err, ErrConflict, "its own error")
		} else {
			require.NoError(t, err, "not its neighbour's")
		}
	}
	require.EqualValues(t, 1+36, rows(t, j)["acts"])
	require.NoError(t, j.Close())
	require.Equal(t, 2, trips, "one for the gate, one for all that waited")
}

// A commit that returned is on the disk, not only in the page cache.
func TestSettings(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	for pragma, want := range map[string]int64{"synchronous": 2, "auto_vacuum": 2, "temp_store": 2, "busy_timeout": busyTimeout.Milliseconds()} {
		var got []int64
		require.NoError(t, j.writer.do(t.Context(), func(ctx context.Context, s *store) error {
			var err error
			got, err = s.queryInts(ctx, "PRAGMA "+pragma)
			return err
		}))
		require.Equal(t, []int64{want}, got, pragma)
	}
}

func TestContextEndsBeforeTheWriteBegins(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	g := hold(t, j)
	reason := errors.New("the act's deadline passed")
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error, 1)
	go func() { result <- j.Intend(ctx, intent("a", 1)) }()
	eventually(t, func() bool { return j.writer.queued() == 1 })
	cancel(reason)
	err := <-result // while the gate is still shut
	require.ErrorIs(t, err, reason)
	require.NotErrorIs(t, err, ErrUnknown)
	close(g.opened)
	require.ErrorIs(t, j.Intend(ctx, intent("b", 1)), reason)
	_, err = j.NextFiring(ctx)
	require.ErrorIs(t, err, reason)
	require.NoError(t, j.Close())
	require.EqualValues(t, 0, rows(t, open(t, j.dir, Options{}))["acts"])
}

func TestContextEndsWhileTheWriteIsUnderWay(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			clock := newClock()
			j := open(t, t.TempDir(), Options{Clock: clock})
			eventually(t, func() bool { return clock.Sleepers() == 1 }) // the pruning
			ctx, cancel := context.WithCancel(t.Context())
			g := &gate{make(chan struct{}, 2), make(chan struct{})}
			result := make(chan error, 1)
			go func() {
				result <- j.writer.do(ctx, func(ctx context.Context, s *store) error {
					g.inside <- struct{}{}
					<-g.opened
					return s.intend(ctx, intent("a", 1), []byte(`{}`))
				})
			}()
			<-g.inside
			cancel()
			eventually(t, func() bool { return clock.Sleepers() == 2 })
			if late {
				clock.Pass(defaultUnknownAfter)
				err := <-result
				require.ErrorIs(t, err, ErrUnknown)
				require.ErrorIs(t, err, context.Canceled)
				close(g.opened)
			} else {
				close(g.opened)
				require.NoError(t, <-result, "it was written, so that is the answer")
			}
			require.NoError(t, j.Close())
			require.EqualValues(t, 1, rows(t, open(t, j.dir, Options{}))["acts"])
		})
	}
}

func TestCloseWritesWhatWaits(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	g := hold(t, j)
	const callers = 300 // more than a batch
	errs := make(chan error, callers)
	for i := range callers {
		go func() { errs <- j.Intend(context.Background(), intent(fmt.Sprint(i), i)) }()
	}
	eventually(t, func() bool { return j.writer.queued() == callers })
	closed := make(chan error, 1)
	go func() { closed <- j.Close() }()
	eventually(t, func() bool {
		j.writer.mu.Lock()
		defer j.writer.mu.Unlock()
		return j.writer.closed
	})
	require.ErrorIs(t, j.Intend(t.Context(), intent("late", 1)), ErrClosed)
	close(g.opened)
	require.NoError(t, <-closed)
	for range callers {
		require.NoError(t, <-errs)
	}
	require.NoError(t, j.Close(), "twice is once")
	require.ErrorIs(t, j.Conclude(t.Context(), engine.Conclusion{Identity: "1", Outcome: engine.Outcome{Status: engine.Done}}), ErrClosed)
	_, err := j.Open(t.Context(), "mlperf/planner")
	require.Error(t, err)
	require.EqualValues(t, callers, rows(t, open(t, dir, Options{}))["acts"])
}
