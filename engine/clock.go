package engine

import (
	"context"
	"time"
)

// Clock is the source of time. The engine uses no other.
type Clock interface {
	Now() time.Time
	// Timer returns a channel that receives once, when d has passed, and a function
	// that stops the timer.
	Timer(d time.Duration) (<-chan time.Time, func())
}

// WallClock is the machine's own clock.
type WallClock struct{}

// Now returns the machine's time.
func (WallClock) Now() time.Time { return time.Now() }

// Timer starts a time.Timer.
func (WallClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// NotAfter returns t, or now where t is later. A clock that was ahead and is set back
// leaves times behind that are in the future: such a time counts as the moment at which
// this is found out, so that no wait is longer than one that begins then.
func NotAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// Sleep waits on the clock for d and reports whether it passed before ctx ended.
func Sleep(ctx context.Context, c Clock, d time.Duration) bool {
	wake, stop := c.Timer(d)
	defer stop()
	select {
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}
