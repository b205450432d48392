package loop_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// Never 5: an event lost, or acted on twice, while the process that receives and handles
// events is restarted again and again. The publishers behave like a sender: they resend
// events that were not acknowledged, and now and then one that was.
func TestSoakEvents(t *testing.T) {
	events, restarts := 300, 5
	if os.Getenv("SCANFLOW_SOAK") != "" {
		events, restarts = 100_000, 20
	}
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))

	var mu sync.Mutex // guards b.host, which a restart replaces
	host := func() *loop.Manager { mu.Lock(); defer mu.Unlock(); return b.manager }
	done := make(chan struct{})
	var publishers sync.WaitGroup
	publish := func(id int) {
		for host().Router.Publish(t.Context(), event(fmt.Sprint(id))) != nil {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond): // the process is down: retry
			}
		}
	}
	for p := range 2 {
		chance := rand.New(rand.NewPCG(1, uint64(p)))
		publishers.Go(func() {
			for id := p; id < events; id += 2 {
				publish(id)
				if chance.IntN(4) == 0 {
					publish(chance.IntN(id + 1)) // a duplicate of its own event, or of one that the other is sending
				}
			}
		})
	}
	go func() { publishers.Wait(); close(done) }()

	// The process is restarted after a random number of handled events.
	chance := rand.New(rand.NewPCG(2, 0))
	handled, last := 0, time.Now()
	drain := func(until func() bool) {
		t.Helper()
		poll := time.NewTicker(5 * time.Millisecond)
		defer poll.Stop()
		for !until() {
			select {
			case f := <-b.fired:
				require.Empty(t, f.Problems)
				handled, last = handled+1, time.Now()
			case <-b.acted:
				last = time.Now()
			case <-poll.C:
				b.clock.Advance(time.Second) // lets retries pass
			}
			require.Less(t, time.Since(last), 60*time.Second, "handled %d of %d, and then nothing", handled, events)
		}
	}
	for range restarts {
		turn := handled + 1 + chance.IntN(2*events/(restarts+2))
		drain(func() bool { return handled >= turn || hookCalls(b) >= events })
		mu.Lock()
		b.restart()
		b.run(b.spec(handlesEvents))
		mu.Unlock()
	}
	drain(func() bool {
		select {
		case <-done:
			return hookCalls(b) >= events
		default:
			return false
		}
	})
	b.restart() // acts in flight have ended
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("last")))
	drain(func() bool { return hookCalls(b) > events })

	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	calls, identities := map[string]int{}, map[string]bool{}
	for _, c := range b.world.sent {
		calls[c.Proposal.With["id"].(string)]++
		identities[c.Identity] = true
	}
	for id := range events {
		require.Equal(t, 1, calls[fmt.Sprint(id)], "event %d", id)
	}
	require.Len(t, calls, events+1)
	require.Len(t, identities, events+1)
}

// hookCalls returns the number of calls that the hook received.
func hookCalls(b *bench) int {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	return len(b.world.sent)
}
