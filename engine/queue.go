package engine

import "sync"

// The acts of an agent wait in a queue, in the order in which they were admitted:
//
//	queued -> started (a slot of busy) -> ended
//	              \-> waiting, to be tried again or verified (no slot) -> ended
//
// One goroutine empties the queue, and is gone once it is empty. An act has a goroutine
// of its own from its start on. So an agent has as many as it has slots, and one for each
// act that waits for the world.

// busyPerCall is how many acts may be started for each call of an adapter that may be
// under way: while some are in a call, others write down what became of theirs.
const busyPerCall = 2

// enqueue has acts begin when their turn comes. It waits for nothing.
func (a *agent) enqueue(acts ...Intent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, acts...)
	if !a.starting && len(a.queue) > 0 {
		a.starting = true
		a.acting(a.startActs)
	}
}

// dequeue returns the act whose turn it is, false once there is none.
func (a *agent) dequeue() (Intent, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		a.queue, a.starting = nil, false
		return Intent{}, false
	}
	in := a.queue[0]
	a.queue[0] = Intent{} // what it holds is not kept for as long as the queue
	a.queue = a.queue[1:]
	return in, true
}

// acting has the agent own a goroutine of its acts.
func (a *agent) acting(act func()) {
	a.underWay.Add(1)
	a.acts.Go(func() {
		defer a.underWay.Add(-1)
		act()
	})
}

// startActs starts the acts of the queue, each when there is a slot for it. Those left
// at a shutdown are for the next start, which finds their intents and settles them.
func (a *agent) startActs() {
	for in, any := a.dequeue(); any; in, any = a.dequeue() {
		select {
		case a.busy <- struct{}{}:
		case <-a.actCtx.Done():
			a.letGo(in)
			continue
		}
		a.acting(func() {
			free := sync.OnceFunc(func() { <-a.busy })
			defer free()
			a.begin(in, free)
		})
	}
}
