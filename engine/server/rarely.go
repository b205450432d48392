package server

import (
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// rarelyEvery is how often the log says that requests are refused, however many are.
const rarelyEvery = 10 * time.Second

// rarely keeps what senders do from filling the log.
type rarely struct {
	clock engine.Clock

	mu      sync.Mutex
	last    time.Time
	skipped int
}

// say reports whether it is time for a line, and how many there would have been since
// the last one.
func (r *rarely) say() (skipped int, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.clock.Now()
	if !r.last.IsZero() && at.Sub(r.last) < rarelyEvery {
		r.skipped++
		return 0, false
	}
	skipped = r.skipped
	r.last, r.skipped = at, 0
	return skipped, true
}
