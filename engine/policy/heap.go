package policy

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// heapGrowth bounds by how many bytes the heap of the process may grow while an
	// evaluation is under way, that of the others with it: a strategy that collects all it
	// can, asked about many targets at once, would take all memory within its deadline. It
	// is measured from noteAfter on, by what the last garbage collection found in use.
	heapGrowth = 128 << 20
	heapEvery  = 10 * time.Millisecond
)

// liveHeap is how many bytes of the heap the last garbage collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// mind stops an evaluation while which the heap grows too large, from began on.
func (w *underWay) mind(began uint64, stop func()) {
	w.after(heapEvery, func() {
		if liveHeap() <= began+heapGrowth {
			w.mind(began, stop)
			return
		}
		w.mu.Lock()
		w.most = began + heapGrowth
		w.mu.Unlock()
		stop()
	})
}

// collecting is held by who collects garbage.
var collecting sync.Mutex

// collect frees what evaluations left that were stopped for what they took, unless another
// has: the next one must not begin with it.
func collect(most uint64) {
	collecting.Lock()
	defer collecting.Unlock()
	if liveHeap() > most {
		runtime.GC()
	}
}

// big reports whether the evaluation was stopped for what it takes of the heap.
func (w *underWay) big() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most > 0
}
