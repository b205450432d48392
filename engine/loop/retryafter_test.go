package loop_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Retry-After pauses all queues to a receiver for the time given, at most a day.
func TestRetryAfterPausesEveryQueueToAReceiver(t *testing.T) {
	for name, c := range map[string]struct{ asks, waits time.Duration }{
		"an hour":  {time.Hour, time.Hour},
		"for ever": {1 << 31 * time.Second, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newReceiverBench(t)
			for i := range 12 { // more than there are queues
				b.world.set(fmt.Sprint("web", i), 1)
			}
			var mu sync.Mutex
			var at []time.Time
			d.respondWith(func(n int) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				if at = append(at, b.clock.Now()); n > 1 {
					return "200 OK", nil
				}
				return "", engine.RetryLater(errors.New("answered 429 Too Many Requests"), c.asks)
			})
			b.run(b.spec(callsWebhook, func(s *engine.Spec) { s.RetryFor = 48 * time.Hour }))
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			require.Len(t, b.next().Decisions, 13)
			b.eventually(func() bool {
				return len(b.messages(engine.BoxOutbox)) > 0 && len(b.messages(engine.BoxOutbox))+len(d.acceptedIDs()) == 13
			})
			early := len(d.acceptedIDs()) // in flight when the pause began
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("2")))
			require.Len(t, b.next().Decisions, 13)
			b.eventually(func() bool {
				messages, err := b.manager.Router.Messages(t.Context(), "", -1)
				require.NoError(t, err)
				return len(messages) == 26-early && messages[0].Why == "answered 429 Too Many Requests" && messages[25-early].Why == messages[0].Why
			})
			b.clock.Advance(c.waits / 2)
			b.eventually(func() bool { return b.clock.Now().After(start.Add(c.waits/2 + time.Minute)) })
			require.Len(t, d.acceptedIDs(), early)
			b.clock.Advance(c.waits / 2)
			b.nextActs(26)
			mu.Lock()
			defer mu.Unlock()
			for _, when := range at[1+early:] {
				require.False(t, when.Before(at[0].Add(c.waits)), "%s after the first", when.Sub(at[0]))
			}
		})
	}
}

func TestACallOfATickTimesOutDuringRetryAfter(t *testing.T) {
	b, d := newReceiverBench(t)
	d.respondWith(func(int) (string, error) {
		return "", engine.RetryLater(errors.New("answered 503 Service Unavailable"), time.Hour)
	})
	b.load.setValue("web", 35)
	b.run(b.spec(callsWebhook, func(s *engine.Spec) {
		s.Triggers = []engine.Trigger{{Name: "tick", Every: 10 * time.Minute}}
		s.Guards.Cooldown = map[string]time.Duration{"webhook": 48 * time.Hour}
	}))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { requests, _ := d.counts(); return requests == 1 })
	b.clock.Advance(9 * time.Minute)
	b.clock.Advance(time.Minute)
	act := b.nextActs(1)[0]
	require.Equal(t, "not answered within 10m0s: answered 503 Service Unavailable", act.Outcome.Detail)
	require.Less(t, b.clock.Now().Sub(start), time.Hour)
	requests, _ := d.counts()
	require.Equal(t, 1, requests)
}

// A delivery whose end can't be recorded is retried with the journal's back-off.
func TestACallWhoseEndCantBeRecordedIsRetriedWithBackoff(t *testing.T) {
	b, d := newReceiverBench(t)
	b.close()
	full := &fullJournal{}
	b.wrap = func(j engine.Journal) engine.Journal { full.Journal = j; return full }
	b.open()
	b.world.set("web", 1)
	d.respondWith(connectionRefused)
	b.run(b.spec(callsWebhook))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { requests, _ := d.counts(); return requests == 1 })
	full.full.Store(true)
	b.clock.Advance(25 * time.Hour)
	began := b.clock.Now()
	b.eventually(func() bool { return b.clock.Now().Sub(began) > time.Minute })
	require.LessOrEqual(t, full.tries.Load(), int64(14), "one each five seconds")
	require.Positive(t, full.tries.Load())
	full.full.Store(false)
	require.Equal(t, engine.Failed, b.nextActs(1)[0].Outcome.Status)
}

// fullJournal is a journal that can be read and, while full is set, not written.
type fullJournal struct {
	engine.Journal
	full  atomic.Bool
	tries atomic.Int64
}

func (f *fullJournal) Ack(ctx context.Context, s []engine.Ack) error {
	if f.full.Load() {
		f.tries.Add(1)
		return errors.New("disk full")
	}
	return f.Journal.Ack(ctx, s)
}
