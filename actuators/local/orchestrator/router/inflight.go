package router

import (
	"sync"
	"sync/atomic"
)

// Inflight counts the requests in flight to a pod, over all frontends, so that the pod
// can be stopped when there are none.
type Inflight struct {
	n      atomic.Int64
	mu     sync.Mutex
	idle   chan struct{}
	closed bool
}

// Count returns the number of requests in flight.
func (f *Inflight) Count() int { return int(f.n.Load()) }

func (f *Inflight) inc() { f.n.Add(1) }

func (f *Inflight) dec() {
	if f.n.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closeIfIdle()
}

// Idle returns a channel that is closed once no request is in flight. Call it after the
// pod was removed by SetPods, so that there are no new requests.
func (f *Inflight) Idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	f.closeIfIdle()
	return f.idle
}

func (f *Inflight) closeIfIdle() {
	if f.idle != nil && !f.closed && f.n.Load() == 0 {
		f.closed = true
		close(f.idle)
	}
}
