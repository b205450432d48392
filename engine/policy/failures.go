package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxStops bounds the evaluations in a row that are stopped at a limit before a member is
	// suspended: in a fleet, each costs the whole deadline, or the memory.
	maxStops   = 3
	suspendFor = 10 * time.Second
)

// failureTracker counts the consecutive failures of a member over all targets. A
// member that fails is evaluated apart from the others.
type failureTracker struct {
	isFailing atomic.Bool
	mu        sync.Mutex
	stopped   int // in a row
	since     time.Time
}

func (t *failureTracker) failing() bool { return t.isFailing.Load() }

// suspended returns an error if the member is suspended at the time of a document. In
// a replay that goes back in time it is not.
func (t *failureTracker) suspended(now time.Time) error {
	if !t.failing() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped < maxStops || now.Before(t.since) || now.Sub(t.since) >= suspendFor {
		return nil
	}
	return fmt.Errorf("was stopped %d times in a row; it is asked again at %s", t.stopped, t.since.Add(suspendFor).UTC().Format(time.RFC3339))
}

func (t *failureTracker) record(now time.Time, err error) {
	if err == nil && !t.failing() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return // the caller has cancelled
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isFailing.Store(err != nil)
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		t.stopped++
		t.since = now
	} else {
		t.stopped = 0
	}
}
