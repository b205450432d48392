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

// A receiver that asks to be left alone is, on every lane, for as long as it says, and a
// day at most. What is over before then ends in time, and unsent.
func TestNothingGoesBeforeRetryAfter(t *testing.T) {
	for name, c := range map[string]struct{ asks, waits time.Duration }{
		"an hour":  {time.Hour, time.Hour},
		"for ever": {1 << 31 * time.Second, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newDesk(t)
			for i := range 12 { // lanes enough
				b.world.set(fmt.Sprint("web", i), 1)
			}
			var mu sync.Mutex
			var at []time.Time
			d.says(func(n int) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				if at = append(at, b.clock.Now()); n > 1 {
					return "200 OK", nil
				}
				return "", engine.RetryLater(errors.New("answered 429 Too Many Requests"), c.asks)
			})
			b.run(b.spec(hooks, func(s *engine.Spec) { s.RetryFor = 48 * time.Hour }))
			require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
			require.Len(t, b.next().Decisions, 13)
			b.eventually(func() bool {
				return len(b.letters(engine.BoxOutbox)) > 0 && len(b.letters(engine.BoxOutbox))+len(d.taken()) == 13
			})
			early := len(d.taken()) // under way when it was asked for
			require.NoError(t, b.host.Router.Publish(t.Context(), event("2")))
			require.Len(t, b.next().Decisions, 13)
			b.eventually(func() bool {
				letters, err := b.host.Router.Messages(t.Context(), "", -1)
				require.NoError(t, err)
				return len(letters) == 26-early && letters[0].Why == "answered 429 Too Many Requests" && letters[25-early].Why == letters[0].Why
			})
			b.clock.Advance(c.waits / 2)
			b.eventually(func() bool { return b.clock.Now().After(start.Add(c.waits/2 + time.Minute)) })
			require.Len(t, d.taken(), early)
			b.clock.Advance(c.waits / 2)
			b.passes(26)
			mu.Lock()
			defer mu.Unlock()
			for _, when := range at[1+early:] {
				require.False(t, when.Before(at[0].Add(c.waits)), "%s after the first", when.Sub(at[0]))
			}
		})
	}
}

func TestATickThatIsPutOffEndsInItsTime(t *testing.T) {
	b, d := newDesk(t)
	d.says(func(int) (string, error) {
		return "", engine.RetryLater(errors.New("answered 503 Service Unavailable"), time.Hour)
	})
	b.load.to("web", 35)
	b.run(b.spec(hooks, func(s *engine.Spec) {
		s.Triggers = []engine.Trigger{{Name: "tick", Every: 10 * time.Minute}}
		s.Guards.Cooldown = map[string]time.Duration{"webhook": 48 * time.Hour}
	}))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { asked, _ := d.counts(); return asked == 1 })
	b.clock.Advance(9 * time.Minute)
	b.clock.Advance(time.Minute)
	act := b.passes(1)[0]
	require.Equal(t, "not answered within 10m0s: answered 503 Service Unavailable", act.Outcome.Detail)
	require.Less(t, b.clock.Now().Sub(start), time.Hour)
	asked, _ := d.counts()
	require.Equal(t, 1, asked)
}

// A delivery whose end the journal can't note is tried again at the pace of the journal.
func TestACallWhoseEndIsNotNotedWaitsForTheJournal(t *testing.T) {
	b, d := newDesk(t)
	b.close()
	full := &fullMail{}
	b.wrap = func(j engine.Journal) engine.Journal { full.Journal = j; return full }
	b.open()
	b.world.set("web", 1)
	d.says(away)
	b.run(b.spec(hooks))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { asked, _ := d.counts(); return asked == 1 })
	full.is.Store(true)
	b.clock.Advance(25 * time.Hour)
	began := b.clock.Now()
	b.eventually(func() bool { return b.clock.Now().Sub(began) > time.Minute })
	require.LessOrEqual(t, full.tries.Load(), int64(14), "one each five seconds")
	require.Positive(t, full.tries.Load())
	full.is.Store(false)
	require.Equal(t, engine.Failed, b.passes(1)[0].Outcome.Status)
}

// fullMail is a journal on a full disk, where it is: it can be read.
type fullMail struct {
	engine.Journal
	is    atomic.Bool
	tries atomic.Int64
}

func (f *fullMail) Ack(ctx context.Context, s []engine.Ack) error {
	if f.is.Load() {
		f.tries.Add(1)
		return errors.New("disk full")
	}
	return f.Journal.Ack(ctx, s)
}
