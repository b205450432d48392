package router

import (
	"slices"
	"sync"
)

// endpoint is one ready pod behind one port of a Service.
type endpoint struct {
	address string
	flight  *Flight
}

// balancer shares the requests of one port of a Service out: to the pod with the
// fewest in flight, in turn among equals.
type balancer struct {
	mu        sync.Mutex
	endpoints []endpoint
	turn      int
}

func (b *balancer) set(endpoints []endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = endpoints
}

// pick chooses a pod that wasn't tried yet and counts the request in, under the
// same lock that set takes: once set has returned, no pod it left out is picked.
func (b *balancer) pick(tried []string) (endpoint, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	best, fewest := -1, 0
	for i := range b.endpoints {
		at := (b.turn + i) % len(b.endpoints)
		e := &b.endpoints[at]
		if n := e.flight.Count(); (best < 0 || n < fewest) && !slices.Contains(tried, e.address) {
			best, fewest = at, n
		}
	}
	if best < 0 {
		return endpoint{}, false
	}
	b.turn = best + 1
	e := b.endpoints[best]
	e.flight.enter()
	return e, true
}

// share is a backend and its weight.
type share struct {
	backend  string
	balancer *balancer
	counts   *counts
	weight   int
	current  int
}

// weighted chooses among backends by weight, smoothly: with weights 3 and 1 the
// second comes every fourth time, not in runs.
type weighted struct {
	mu     sync.Mutex
	shares []share
}

// next is the backend of the coming request; false if all weights are 0.
func (w *weighted) next() (*balancer, *counts, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	total, best := 0, -1
	for i := range w.shares {
		s := &w.shares[i]
		if s.weight <= 0 {
			continue
		}
		s.current += s.weight
		total += s.weight
		if best < 0 || s.current > w.shares[best].current {
			best = i
		}
	}
	if best < 0 {
		return nil, nil, false
	}
	s := &w.shares[best]
	s.current -= total
	return s.balancer, s.counts, true
}
