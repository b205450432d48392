package local

import (
	"sync"
	"sync/atomic"
)

// flight counts the requests that a pod is answering, over all its routes, so that
// it can be stopped when there are none.
type flight struct {
	n       atomic.Int64
	mu      sync.Mutex
	waiting chan struct{}
	landed  bool
}

func (f *flight) count() int { return int(f.n.Load()) }

func (f *flight) enter() { f.n.Add(1) }

func (f *flight) leave() {
	if f.n.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.land()
}

// idle returns a channel that is closed once no request is in flight. It is asked
// for after the pod was taken out of every route, so that none can come any more.
func (f *flight) idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = make(chan struct{})
	}
	f.land()
	return f.waiting
}

func (f *flight) land() {
	if f.waiting != nil && !f.landed && f.n.Load() == 0 {
		f.landed = true
		close(f.waiting)
	}
}
