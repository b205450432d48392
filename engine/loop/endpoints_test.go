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

// fakeEndpoints delivers events to several endpoints, which respond as the test says.
type fakeEndpoints struct {
	mu    sync.Mutex
	by    map[string]func(context.Context) error
	taken map[string]int // by URL
}

func (l *fakeEndpoints) Deliver(ctx context.Context, to engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
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

func (l *fakeEndpoints) count(url string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken[url]
}

const hungURL, healthyURL = "http://hung.example/", "http://well.example/"

// Never 6: an endpoint that does not answer, with events from many sources, does not block
// other endpoints.
func TestAHungEndpointDoesNotBlockOthers(t *testing.T) {
	var hanging sync.WaitGroup
	hanging.Add(1)
	first := sync.OnceFunc(hanging.Done)
	l := &fakeEndpoints{taken: map[string]int{}, by: map[string]func(context.Context) error{
		hungURL:    func(ctx context.Context) error { first(); <-ctx.Done(); return engine.Retry(ctx.Err()) },
		healthyURL: func(context.Context) error { return nil },
	}}
	b := newBench(t)
	b.deliverer = l
	b.restart()
	b.run()
	for i := range 100 {
		e := event(fmt.Sprint(i))
		e.Source = fmt.Sprint("/sources/", i)
		require.NoError(t, b.manager.Router.Send(t.Context(), e, engine.Destination{URL: hungURL}))
	}
	hanging.Wait()
	require.NoError(t, b.manager.Router.Send(t.Context(), event("1"), engine.Destination{URL: healthyURL}))
	require.Eventually(t, func() bool { return l.count(healthyURL) == 1 }, 5*time.Second, time.Millisecond)
}

// A leader that lost its lease starts no delivery while its acts are given time to end.
// Deliveries in flight end.
func TestAClosingManagerStartsNoDelivery(t *testing.T) {
	begun, answer := make(chan struct{}, 10), make(chan struct{})
	l := &fakeEndpoints{taken: map[string]int{}, by: map[string]func(context.Context) error{
		healthyURL: func(context.Context) error { begun <- struct{}{}; <-answer; return nil },
	}}
	b := newBench(t)
	b.deliverer = l
	w := b.interceptJournal()
	b.run()
	to := engine.Destination{URL: healthyURL, Agent: "ns/planner"}
	require.NoError(t, b.manager.Router.Send(t.Context(), event("1"), to))
	receive(t, begun)
	b.manager.BeginClose()
	require.NoError(t, b.manager.Router.Send(t.Context(), event("2"), to))
	answer <- struct{}{}
	require.Eventually(t, func() bool {
		left, err := b.journal.Outbox(t.Context(), 10)
		require.NoError(t, err)
		return len(left) == 1 && left[0].Event.ID == "2"
	}, 10*time.Second, time.Millisecond)
	close(answer)
	for _, id := range []string{"3", "4"} { // by the second, the first round has ended
		reads := w.outbox.Load()
		other := event(id)
		other.Source = "/other"
		require.NoError(t, b.manager.Router.Send(t.Context(), other, to))
		require.Eventually(t, func() bool { return w.outbox.Load() > reads }, 10*time.Second, time.Millisecond)
	}
	b.restart()
	require.Equal(t, 1, l.count(healthyURL))
	require.Empty(t, begun)
	b.run()
	b.eventually(func() bool { return l.count(healthyURL) == 4 })
}

func TestADeliveryDuringAReadOfTheOutboxIsNotRepeated(t *testing.T) {
	begun, answer := make(chan struct{}, 10), make(chan struct{})
	l := &fakeEndpoints{taken: map[string]int{}, by: map[string]func(context.Context) error{
		healthyURL: func(context.Context) error { begun <- struct{}{}; <-answer; return nil },
		hungURL:    func(context.Context) error { return nil },
	}}
	b := newBench(t)
	b.deliverer = l
	w := b.interceptJournal()
	w.waiting = func(read []engine.Delivery) {
		if len(read) < 2 {
			return
		}
		w.waiting = nil
		close(answer)
		for left := 2; left > 1; { // the first delivery that was read is acknowledged
			list, err := b.journal.Outbox(context.Background(), 10)
			if left = len(list); err != nil {
				return
			}
		}
		for range 1000 { // and its queue is free again
			runtime.Gosched()
		}
	}
	b.run()
	require.NoError(t, b.manager.Router.Send(t.Context(), event("1"), engine.Destination{URL: healthyURL}))
	receive(t, begun)
	require.NoError(t, b.manager.Router.Send(t.Context(), event("2"), engine.Destination{URL: hungURL}))
	require.Eventually(t, func() bool { return l.count(hungURL) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, b.manager.Router.Send(t.Context(), event("3"), engine.Destination{URL: healthyURL}))
	b.eventually(func() bool {
		left, err := b.journal.Outbox(t.Context(), 10)
		require.NoError(t, err)
		return len(left) == 0
	})
	require.Equal(t, 2, l.count(healthyURL))
}

// A batch that the journal refuses as too large is a final error, so that the sender sends
// fewer events at once.
func TestABatchThatIsTooLargeIsNotRetryable(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	w.most = 1
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Mode = engine.Paused }))
	operator := engine.Sender{Name: engine.OperatorSender}
	_, err := b.manager.Router.Receive(t.Context(), operator, []engine.Event{event("1"), event("2")})
	require.ErrorIs(t, err, engine.ErrTooLarge)
	require.False(t, engine.IsRetryable(err))
	for _, id := range []string{"1", "2"} {
		receipts, err := b.manager.Router.Receive(t.Context(), operator, []engine.Event{event(id)})
		require.NoError(t, err)
		require.Equal(t, engine.Accepted, receipts[0].Verdict)
	}
}

// A deliverer that ignores its context does not block the shutdown.
func TestAHungDelivererDoesNotBlockShutdown(t *testing.T) {
	begun, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	l := &fakeEndpoints{taken: map[string]int{}, by: map[string]func(context.Context) error{
		hungURL: func(context.Context) error { begun <- struct{}{}; <-release; return nil },
	}}
	b := newBench(t)
	b.deliverer = l
	b.restart()
	b.run()
	require.NoError(t, b.manager.Router.Send(t.Context(), event("1"), engine.Destination{URL: hungURL}))
	receive(t, begun)
	b.closeManager()
	require.Less(t, b.clock.Now().Sub(start), time.Minute)
}
