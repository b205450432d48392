package router

import (
	"sync"
	"sync/atomic"
)

// Flight counts the requests that a pod is answering, over all its routes, so that
// it can be stopped when there are none.
type Flight struct {
	n       atomic.Int64
	mu      sync.Mutex
	waiting chan struct{}
	landed  bool
}

// Count is how many there are now.
func (f *Flight) Count() int { return int(f.n.Load()) }

func (f *Flight) enter() { f.n.Add(1) }

func (f *Flight) leave() {
	if f.n.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.land()
}

// Idle returns a channel that is closed once no request is in flight. It is asked
// for after the pod was taken out of every route, so that none can come any more.
func (f *Flight) Idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = make(chan struct{})
	}
	f.land()
	return f.waiting
}

func (f *Flight) land() {
	if f.waiting != nil && !f.landed && f.n.Load() == 0 {
		f.landed = true
		close(f.waiting)
	}
}
