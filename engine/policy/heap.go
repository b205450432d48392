package policy

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// heapGrowth bounds, in bytes, how much the heap of the process may grow while an
	// evaluation runs, other evaluations included: without it, a strategy that collects
	// without bound for many targets at once would use all memory within its deadline.
	// It is measured from slowAfter on, after each garbage collection.
	heapGrowth       = 128 << 20
	heapPollInterval = 10 * time.Millisecond
)

// liveHeap returns the size of the heap after the last garbage collection, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// watchHeap polls the heap and stops the evaluation when the heap has grown too
// much beyond began.
func (w *runningEval) watchHeap(began uint64, stop func()) {
	w.after(heapPollInterval, func() {
		if liveHeap() <= began+heapGrowth {
			w.watchHeap(began, stop)
			return
		}
		w.mu.Lock()
		w.heapLimit = began + heapGrowth
		w.mu.Unlock()
		stop()
	})
}

// collectMu makes concurrent evaluations collect garbage only once.
var collectMu sync.Mutex

// collectGarbage frees the memory of evaluations that were stopped, unless that
// has happened already. The next evaluation must not start with a large heap.
func collectGarbage(most uint64) {
	collectMu.Lock()
	defer collectMu.Unlock()
	if liveHeap() > most {
		runtime.GC()
	}
}

// overHeap reports whether the evaluation was stopped because the heap grew too much.
func (w *runningEval) overHeap() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heapLimit > 0
}
