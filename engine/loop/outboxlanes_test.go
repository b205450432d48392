package loop_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// lines carries events to several endpoints, each as the test says.
type lines struct {
	mu    sync.Mutex
	by    map[string]func(context.Context) error
	taken map[string]int // by URL
}

func (l *lines) Deliver(ctx context.Context, to engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	if err := l.by[to.URL](ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[to.URL] += len(events)
	out := make([]engine.Receipt, len(events))
	for i, e := range events {
		out[i] = engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.Accepted}
	}
	return out, nil
}

func (l *lines) count(url string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken[url]
}

const hung, well = "http://hung.example/", "http://well.example/"

// Never 6: an endpoint that does not answer, with many sources that have something for
// it, holds up no other endpoint.
func TestAnEndpointThatHangsHoldsUpNoOther(t *testing.T) {
	var hanging sync.WaitGroup
	hanging.Add(1)
	first := sync.OnceFunc(hanging.Done)
	l := &lines{taken: map[string]int{}, by: map[string]func(context.Context) error{
		hung: func(ctx context.Context) error { first(); <-ctx.Done(); return engine.Retry(ctx.Err()) },
		well: func(context.Context) error { return nil },
	}}
	b := newBench(t)
	b.courier = l
	b.restart()
	b.run()
	for i := range 100 {
		e := event(fmt.Sprint(i))
		e.Source = fmt.Sprint("/sources/", i)
		require.NoError(t, b.host.Router.Send(t.Context(), e, engine.Destination{URL: hung}))
	}
	hanging.Wait()
	require.NoError(t, b.host.Router.Send(t.Context(), event("1"), engine.Destination{URL: well}))
	require.Eventually(t, func() bool { return l.count(well) == 1 }, 5*time.Second, time.Millisecond)
}

// A leader that was deposed begins no delivery any more, while its acts are given time to
// end; what is under way ends.
func TestAHostThatIsBeingClosedBeginsNoDelivery(t *testing.T) {
	begun, answer := make(chan struct{}, 10), make(chan struct{})
	l := &lines{taken: map[string]int{}, by: map[string]func(context.Context) error{
		well: func(context.Context) error { begun <- struct{}{}; <-answer; return nil },
	}}
	b := newBench(t)
	b.courier = l
	w := b.watch()
	b.run()
	to := engine.Destination{URL: well, Agent: "ns/planner"}
	require.NoError(t, b.host.Router.Send(t.Context(), event("1"), to))
	receive(t, begun)
	b.host.BeginClose()
	require.NoError(t, b.host.Router.Send(t.Context(), event("2"), to))
	answer <- struct{}{}
	require.Eventually(t, func() bool {
		left, err := b.journal.Outbox(t.Context(), 10)
		require.NoError(t, err)
		return len(left) == 1 && left[0].Event.ID == "2"
	}, 10*time.Second, time.Millisecond)
	close(answer)
	for _, id := range []string{"3", "4"} { // by the second time, the first round has ended
		reads := w.outbox.Load()
		other := event(id)
		other.Source = "/other"
		require.NoError(t, b.host.Router.Send(t.Context(), other, to))
		require.Eventually(t, func() bool { return w.outbox.Load() > reads }, 10*time.Second, time.Millisecond)
	}
	b.restart()
	require.Equal(t, 1, l.count(well))
	require.Empty(t, begun)
	b.run()
	b.eventually(func() bool { return l.count(well) == 4 })
}

// What is delivered and noted while the outbox is being read is not delivered again.
func TestWhatIsDeliveredWhileTheOutboxIsReadIsNotDeliveredAgain(t *testing.T) {
	begun, answer := make(chan struct{}, 10), make(chan struct{})
	l := &lines{taken: map[string]int{}, by: map[string]func(context.Context) error{
		well: func(context.Context) error { begun <- struct{}{}; <-answer; return nil },
		hung: func(context.Context) error { return nil },
	}}
	b := newBench(t)
	b.courier = l
	w := b.watch()
	w.waiting = func(read []engine.Delivery) {
		if len(read) < 2 {
			return
		}
		w.waiting = nil
		close(answer)
		for left := 2; left > 1; { // what was read first is noted as delivered
			list, err := b.journal.Outbox(context.Background(), 10)
			if left = len(list); err != nil {
				return
			}
		}
		for range 1000 { // and its lane is free again
			runtime.Gosched()
		}
	}
	b.run()
	require.NoError(t, b.host.Router.Send(t.Context(), event("1"), engine.Destination{URL: well}))
	receive(t, begun)
	require.NoError(t, b.host.Router.Send(t.Context(), event("2"), engine.Destination{URL: hung}))
	require.Eventually(t, func() bool { return l.count(hung) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, b.host.Router.Send(t.Context(), event("3"), engine.Destination{URL: well}))
	b.eventually(func() bool {
		left, err := b.journal.Outbox(t.Context(), 10)
		require.NoError(t, err)
		return len(left) == 0
	})
	require.Equal(t, 2, l.count(well))
}

// A journal that can't keep so many events at once says so for good, so that their sender
// hands over fewer.
func TestABatchThatIsTooLargeIsNotTriedAgainAsItIs(t *testing.T) {
	b := newBench(t)
	w := b.watch()
	w.most = 1
	b.run(b.spec(answers, func(s *engine.Spec) { s.Mode = engine.Paused }))
	operator := engine.Sender{Name: engine.OperatorSender}
	_, err := b.host.Router.Receive(t.Context(), operator, []engine.Event{event("1"), event("2")})
	require.ErrorIs(t, err, engine.ErrTooLarge)
	require.False(t, engine.IsRetryable(err))
	for _, id := range []string{"1", "2"} {
		receipts, err := b.host.Router.Receive(t.Context(), operator, []engine.Event{event(id)})
		require.NoError(t, err)
		require.Equal(t, engine.Accepted, receipts[0].Verdict)
	}
}

// A courier that does not heed its context holds up no shutdown.
func TestACourierThatHangsHoldsUpNoShutdown(t *testing.T) {
	begun, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	l := &lines{taken: map[string]int{}, by: map[string]func(context.Context) error{
		hung: func(context.Context) error { begun <- struct{}{}; <-release; return nil },
	}}
	b := newBench(t)
	b.courier = l
	b.restart()
	b.run()
	require.NoError(t, b.host.Router.Send(t.Context(), event("1"), engine.Destination{URL: hung}))
	receive(t, begun)
	b.closes()
	require.Less(t, b.clock.Now().Sub(start), time.Minute)
}
