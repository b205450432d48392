package loop

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do for 0..n-1 in at most limit goroutines, and waits. It is for calls that
// wait for others; allCores is for computing.
func parallel(limit, n int, do func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(limit, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// chunk is the number of targets that a core takes at a time: one costs microseconds.
const chunk = 64

// allCores calls do for 0..n-1 on all cores, and waits. It is a turn.Executor.
func allCores(n int, do func(int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	parallel(workers, (n+chunk-1)/chunk, func(c int) {
		for i := c * chunk; i < min((c+1)*chunk, n); i++ {
			do(i)
		}
	})
}
