package loop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// fakePeer delivers events to another manager, with faults of a network.
type fakePeer struct {
	mu      sync.Mutex
	to      func(context.Context, []engine.Event) ([]engine.Receipt, error)
	carried [][]string
	fault   func(call int) string
	calls   int
}

func (l *fakePeer) Deliver(ctx context.Context, _ engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	l.carried = append(l.carried, ids)
	l.calls++
	fault := ""
	if l.fault != nil {
		fault = l.fault(l.calls)
	}
	if fault == "refused connection" {
		return nil, engine.Retry(errors.New(fault))
	}
	receipts, err := l.to(ctx, events)
	if fault == "lost answer" {
		return nil, engine.Retry(errors.New(fault))
	}
	return receipts, err
}

// newPeer returns the manager and the journal of another process, whose agent is paused.
func newPeer(t *testing.T, clock engine.Clock, p engine.Spec) (*loop.Manager, *journal.Journal) {
	j, err := journal.Open(context.Background(), t.TempDir(), journal.Options{Clock: clock})
	require.NoError(t, err)
	b := newBench(t)
	h := loop.New(loop.Config{Clock: clock, Journal: j, Policies: b.policies})
	p.Mode = engine.Paused // events stay in its inbox
	h.Apply([]engine.Spec{p})
	t.Cleanup(func() { h.Close(); require.NoError(t, j.Close()) })
	return h, j
}

// eventually moves the clock until a condition holds.
func (b *bench) eventually(condition func() bool) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		if condition() {
			return true
		}
		b.clock.Advance(100 * time.Millisecond)
		return false
	}, 20*time.Second, time.Millisecond)
}

// closeManager closes the manager, and moves the clock until it is closed.
func (b *bench) closeManager() {
	b.t.Helper()
	closed := make(chan struct{})
	go func() { defer close(closed); b.manager.Close() }()
	b.eventually(func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
}

// Never 5, across processes: with any network fault each event arrives once, and those of
// one source arrive in order.
func TestEventsToAPeerArriveOnceAndInOrder(t *testing.T) {
	l := &fakePeer{}
	b := newBench(t)
	b.deliverer = l
	b.restart()
	rng := rand.New(rand.NewPCG(1, 2))
	l.fault = func(int) string { return []string{"", "refused connection", "lost answer"}[rng.IntN(3)] }
	there, inbox := newPeer(t, b.clock, b.spec(handlesEvents))
	l.to = func(ctx context.Context, events []engine.Event) ([]engine.Receipt, error) {
		return there.Router.Receive(ctx, engine.Sender{Name: "west", Peer: true}, events)
	}
	b.run()
	const n = 300
	for i := range n {
		e := event(fmt.Sprint(i))
		e.Source = "/agents/ns/" + []string{"a", "b"}[i%2]
		require.NoError(t, b.manager.Router.Publish(t.Context(), e))
		if i%100 == 50 {
			b.restart()
			b.run()
		}
	}
	b.eventually(func() bool {
		waiting, err := b.journal.Outbox(t.Context(), n)
		require.NoError(t, err)
		return len(waiting) == 0
	})
	got, err := inbox.Inbox(t.Context(), "ns/answerer", n+1)
	require.NoError(t, err)
	require.Len(t, got, n)
	last := map[string]int{}
	for _, e := range got {
		var i int
		_, err := fmt.Sscan(e.ID, &i)
		require.NoError(t, err)
		require.GreaterOrEqual(t, i, last[e.Source], "in order")
		last[e.Source] = i
	}
	require.NotZero(t, l.calls)
}

// An event that the peer refuses does not block others, and a person can redeliver it.
func TestARefusedEventIsADeadLetterAndTheOthersAreDelivered(t *testing.T) {
	l := &fakePeer{}
	b := newBench(t)
	b.deliverer = l
	b.restart()
	taken := map[string]int{}
	refuse := true
	l.to = func(_ context.Context, events []engine.Event) ([]engine.Receipt, error) {
		var out []engine.Receipt
		for _, e := range events {
			if e.ID == "poison" && refuse {
				return nil, errors.New("400 Bad Request")
			}
			out = append(out, engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.Accepted})
		}
		for _, r := range out {
			taken[r.ID]++
		}
		return out, nil
	}
	l.mu.Lock() // so that all are in one batch
	b.run()
	for _, id := range []string{"1", "2", "poison", "3", "4"} {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(id)))
	}
	l.mu.Unlock()
	dead := func() []engine.Message {
		var out []engine.Message
		messages, err := b.journal.Messages(t.Context(), "", 100)
		require.NoError(t, err)
		for _, x := range messages {
			if x.Box == engine.BoxDead {
				out = append(out, x)
			}
		}
		return out
	}
	b.eventually(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(taken) == 4 })
	b.eventually(func() bool { return len(dead()) == 1 })
	message := dead()[0]
	require.Equal(t, "poison", message.Event.ID)
	require.Contains(t, message.Why, "400 Bad Request")
	l.mu.Lock()
	refuse = false
	l.mu.Unlock()
	found, err := b.manager.Router.Redeliver(t.Context(), []string{message.ID, "nothing"})
	require.NoError(t, err)
	require.Equal(t, []string{message.ID}, found)
	b.eventually(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return taken["poison"] == 1 })
	b.eventually(func() bool { return len(dead()) == 0 })
	require.Equal(t, map[string]int{"1": 1, "2": 1, "3": 1, "4": 1, "poison": 1}, taken)
}

func TestAnEventThatNoAgentWantsIsADeadLetter(t *testing.T) {
	l := &fakePeer{to: func(_ context.Context, events []engine.Event) (out []engine.Receipt, _ error) {
		for _, e := range events {
			out = append(out, engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.UnwantedEvent, Why: "nobody here"})
		}
		return out, nil
	}}
	b := newBench(t, answering)
	b.deliverer = l
	b.restart()
	b.run()
	fromAgent := func(id string) engine.Event {
		e := event(id)
		e.Source = engine.AgentSource + e.Sender
		return e
	}
	dead := func() (out []string) {
		messages, err := b.journal.Messages(t.Context(), "", 10)
		require.NoError(t, err)
		for _, x := range messages {
			out = append(out, x.Box+" "+x.Event.ID)
		}
		return out
	}
	one := []string{engine.BoxDead + " unwanted"}
	require.NoError(t, b.manager.Router.Publish(t.Context(), fromAgent("unwanted")))
	b.eventually(func() bool { return slices.Equal(dead(), one) })
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), fromAgent("wanted here")))
	require.Equal(t, "wanted here", only(t, b.next()).With["id"])
	b.nextAct()
	b.eventually(func() bool { return slices.Equal(dead(), one) })

	ended := event("succeeded") // notifications may have no recipient
	ended.Source = "/workflows/ns/train-1"
	notice := fromAgent("approval")
	notice.Type = engine.ApprovalRequested
	for _, e := range []engine.Event{ended, notice} {
		require.NoError(t, b.manager.Router.Publish(t.Context(), e))
	}
	b.eventually(func() bool { return slices.Equal(dead(), one) })
}

func TestAnEventUndeliveredForADayIsADeadLetter(t *testing.T) {
	l := &fakePeer{fault: func(int) string { return "refused connection" }}
	b := newBench(t)
	b.deliverer = l
	b.restart()
	b.run()
	require.NoError(t, b.manager.Router.Send(t.Context(), event("1"), engine.Destination{URL: "http://127.0.0.1:1/", Agent: "ns/planner"}))
	b.eventually(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.calls > 2 })
	b.clock.Advance(engine.DeliveryTimeout)
	b.eventually(func() bool {
		messages, err := b.journal.Messages(t.Context(), "", 10)
		require.NoError(t, err)
		return messages[0].Box == engine.BoxDead
	})
}

// An event on which the strategies fail is retried, then becomes a dead letter.
func TestAnEventOnWhichTheStrategiesFailIsADeadLetter(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.failing

propose contains {"primitive": "hook", "with": {"n": 1 / input.trigger.event.data.by}, "reason": "divide", "because": []} if input.trigger.event
`, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Strategies = []string{"t.failing"} }))
	bad, good := event("bad"), event("good")
	bad.Data, good.Data = map[string]any{"by": 0.0}, map[string]any{"by": 1.0}
	require.NoError(t, b.manager.Router.Publish(t.Context(), bad))
	require.NoError(t, b.manager.Router.Publish(t.Context(), good))
	b.eventually(func() bool { return len(b.acted) == 1 })
	messages, err := b.journal.Messages(t.Context(), "ns/answerer", 10)
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Equal(t, "bad", messages[0].Event.ID)
	require.Contains(t, messages[0].Why, "divide by zero")
}

// An event with more acts than the journal accepts in one firing is not retried, since other
// events wait behind it.
func TestAnEventThatIsTooLargeForTheJournalIsADeadLetter(t *testing.T) {
	b := newBench(t, answering)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	f.large.Store(true)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("large")))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("small")))
	b.eventually(func() bool { return len(b.acted) == 1 })
	b.nextAct()
	require.Len(t, b.world.sent, 1)
	require.Equal(t, "small", b.world.sent[0].Proposal.With["id"])
	messages, err := b.journal.Messages(t.Context(), "ns/answerer", 10)
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Equal(t, "large", messages[0].Event.ID)
	require.Contains(t, messages[0].Why, "too large")
}

func TestNewEventsDoNotShortenTheRetryOfAFailedOne(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.failing

propose contains {"primitive": "hook", "with": {"id": input.trigger.event.id, "n": 1 / input.trigger.event.data.by}, "reason": "divide", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Strategies = []string{"t.failing"} }))
	bad := event("bad")
	bad.Data = map[string]any{"by": 0.0}
	require.NoError(t, b.manager.Router.Publish(t.Context(), bad))
	require.NotEmpty(t, b.next().Problems)
	var good []engine.Event
	for i := range 10 {
		e := event(fmt.Sprint(i))
		e.Data = map[string]any{"by": 1.0}
		good = append(good, e)
		require.NoError(t, b.manager.Router.Publish(t.Context(), e))
	}
	for i := range 3 { // the second to the fourth try
		require.Eventually(t, func() bool { return b.clock.Waiting() > 0 }, 10*time.Second, time.Millisecond)
		require.Empty(t, b.fired, "before its time")
		b.clock.Advance(time.Second << (i + 1))
		require.NotEmpty(t, b.next().Problems)
	}
	b.eventually(func() bool { return len(b.acted) == len(good) })
}
