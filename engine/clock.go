package engine

import (
	"context"
	"time"
)

// Clock tells the time and wakes a sleeper. The engine has no other.
type Clock interface {
	Now() time.Time
	// Timer returns a channel that receives once, when d has passed, and a function
	// that gives the timer back.
	Timer(d time.Duration) (<-chan time.Time, func())
}

// WallClock is the machine's own clock.
type WallClock struct{}

// Now is the machine's time.
func (WallClock) Now() time.Time { return time.Now() }

// Timer is a time.Timer.
func (WallClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
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
