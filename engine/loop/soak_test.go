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

// Never 5: an event lost, or acted on twice, while the process that takes and
// handles them is restarted again and again. The publishers do as a sender does:
// they send again what was not acknowledged, and now and then what was.
func TestSoakEvents(t *testing.T) {
	events, restarts := 300, 5
	if os.Getenv("SCANFLOW_SOAK") != "" {
		events, restarts = 100_000, 20
	}
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(answers))

	var mu sync.Mutex // guards b.host, which a restart replaces
	host := func() *loop.Manager { mu.Lock(); defer mu.Unlock(); return b.host }
	done := make(chan struct{})
	var publishers sync.WaitGroup
	publish := func(id int) {
		for host().Router.Publish(t.Context(), event(fmt.Sprint(id))) != nil {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond): // the process is down: once more
			}
		}
	}
	for p := range 2 {
		chance := rand.New(rand.NewPCG(1, uint64(p)))
		publishers.Go(func() {
			for id := p; id < events; id += 2 {
				publish(id)
				if chance.IntN(4) == 0 {
					publish(chance.IntN(id + 1)) // its own again, or one that the other is sending
				}
			}
		})
	}
	go func() { publishers.Wait(); close(done) }()

	// The turns of the process are told apart by how many events each has handled.
	chance := rand.New(rand.NewPCG(2, 0))
	handled, last := 0, time.Now()
	drain := func(until func() bool) {
		t.Helper()
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		for !until() {
			select {
			case f := <-b.fired:
				require.Empty(t, f.Problems)
				handled, last = handled+1, time.Now()
			case <-b.acted:
				last = time.Now()
			case <-look.C:
				b.clock.Advance(time.Second) // whoever waits for a retry gets it
			}
			require.Less(t, time.Since(last), 60*time.Second, "handled %d of %d, and then nothing", handled, events)
		}
	}
	for range restarts {
		turn := handled + 1 + chance.IntN(2*events/(restarts+2))
		drain(func() bool { return handled >= turn || sent(b) >= events })
		mu.Lock()
		b.restart()
		b.run(b.spec(answers))
		mu.Unlock()
	}
	drain(func() bool {
		select {
		case <-done:
			return sent(b) >= events
		default:
			return false
		}
	})
	b.restart() // what was still under way has ended
	b.run(b.spec(answers))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("last")))
	drain(func() bool { return sent(b) > events })

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

// sent is how many calls the hook took.
func sent(b *bench) int {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	return len(b.world.sent)
}
