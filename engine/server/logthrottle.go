package server

import (
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// logThrottleInterval is the minimum interval between log messages about refused requests.
const logThrottleInterval = 10 * time.Second

// logThrottle prevents senders from filling the log.
type logThrottle struct {
	clock engine.Clock

	mu      sync.Mutex
	last    time.Time
	skipped int
}

// allow reports whether to log now, and how many messages were skipped since the last one.
func (r *logThrottle) allow() (skipped int, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.clock.Now()
	if !r.last.IsZero() && at.Sub(r.last) < logThrottleInterval {
		r.skipped++
		return 0, false
	}
	skipped = r.skipped
	r.last, r.skipped = at, 0
	return skipped, true
}
