package router

import (
	"slices"
	"sync"
)

// endpoint is a ready pod of a Service's port.
type endpoint struct {
	address  string
	inflight *Inflight
}

// balancer chooses a pod for each request of a Service's port: the one with the fewest
// requests in flight, round-robin among equals.
type balancer struct {
	mu        sync.Mutex
	endpoints []endpoint
	next      int
}

func (b *balancer) set(endpoints []endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = endpoints
}

// pick chooses a pod that wasn't tried yet and counts the request as in flight. Both
// happen under the lock of set: once set has returned, no removed pod is picked.
func (b *balancer) pick(tried []string) (endpoint, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	best, fewest := -1, 0
	for i := range b.endpoints {
		at := (b.next + i) % len(b.endpoints)
		e := &b.endpoints[at]
		if n := e.inflight.Count(); (best < 0 || n < fewest) && !slices.Contains(tried, e.address) {
			best, fewest = at, n
		}
	}
	if best < 0 {
		return endpoint{}, false
	}
	b.next = best + 1
	e := b.endpoints[best]
	e.inflight.inc()
	return e, true
}

// weightedBackend is a backend with its weight and its counter of the round-robin.
type weightedBackend struct {
	backend  string
	balancer *balancer
	counters *counters
	weight   int
	current  int
}

// weightedBackends is a smooth weighted round-robin: with weights 3 and 1 the second
// backend gets every fourth request.
type weightedBackends struct {
	mu       sync.Mutex
	backends []weightedBackend
}

// next chooses the backend of the next request; false if all weights are 0.
func (w *weightedBackends) next() (*balancer, *counters, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	total, best := 0, -1
	for i := range w.backends {
		s := &w.backends[i]
		if s.weight <= 0 {
			continue
		}
		s.current += s.weight
		total += s.weight
		if best < 0 || s.current > w.backends[best].current {
			best = i
		}
	}
	if best < 0 {
		return nil, nil, false
	}
	s := &w.backends[best]
	s.current -= total
	return s.balancer, s.counters, true
}
