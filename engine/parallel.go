package engine

import (
	"maps"
	"slices"
	"sync"
)

// parallel runs do for 0..n-1, at most limit at once, and waits. It is for calls
// that wait on others; each (firing.go) is for work of our own.
func parallel(limit, n int, do func(int)) {
	room := make(chan struct{}, limit)
	var wg sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			do(i)
		})
	}
	wg.Wait()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
