package policy

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A strategy that collects all it can, asked about a dozen targets at once, is stopped each
// time long before its deadline. What is slow and collects nothing is not.
func TestWhatCollectsAllItCanIsStopped(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as the daemon does
	collects := `propose contains p if {
	all := {s | some a in numbers.range(1, 1000); some b in numbers.range(1, 1000); s := sprintf("%d.%d%1000d%1000d", [a, b, 0, 0])}
	p := {"primitive": "scale", "with": {"n": count(all)}, "reason": "r", "because": []}
}`
	slow := compiled(t, one(`propose contains {"primitive": "scale", "with": {"n": n}, "reason": "sane", "because": []} if {
	n := count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 300); i == j])
}`), Options{Deadline: time.Minute})
	peak := make(chan uint64, 1)
	done := make(chan struct{})
	go func() { peak <- peakHeap(done) }()
	for range 2 { // what the first round left does not count for the second
		rev := compiled(t, one(collects), Options{Deadline: time.Minute}) // that was not stopped before
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				e := rev.Evaluate(context.Background(), []string{"x"}, document(float64(i)))
				got := problems(e) // or, of a late one, that those before were stopped
				if !strings.HasPrefix(got, "x: was stopped: the heap of the process grew by more than 128 MiB while it ran; bound what it collects\n") && !strings.Contains(got, "times in a row") {
					t.Errorf("%d: %q", i, got)
				}
			})
		}
		all.Wait()
	}
	close(done)
	if most := <-peak; most > 700<<20 {
		t.Errorf("the heap had %d MiB", most>>20)
	}
	e := slow.Evaluate(context.Background(), []string{"x"}, document(1))
	require.Empty(t, e.Problems)
	require.Len(t, e.Proposals, 1)
}

// peakHeap is the most that the heap has until it is done, in bytes, garbage included.
func peakHeap(done <-chan struct{}) (most uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return most
		case <-tick.C:
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
		}
	}
}
