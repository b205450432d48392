package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// parallel runs do for 0..n-1 in at most limit goroutines, and waits. It is for calls
// that wait on others; each (firing.go) is for work of our own.
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
