// Package backoff computes how long to wait before a request that failed is sent again.
// It has no clock, no state and no jitter: the same failures give the same waits. To wait
// is up to the caller (engine.Sleep). It imports nothing of this module.
package backoff

import "time"

// Exponential is a wait that doubles with each failure in a row, from First up to Most.
type Exponential struct {
	First, Most time.Duration
}

// After returns the wait after that many failures in a row; none after none.
func (e Exponential) After(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	wait := e.First
	for ; failures > 1 && 0 < wait && wait < e.Most; failures-- {
		wait *= 2
	}
	return min(wait, e.Most)
}
