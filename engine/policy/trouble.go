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
	// patience is how many evaluations in a row may be stopped before a strategy is left
	// out for a while: in a fleet, each would cost the deadline, or the memory, again.
	patience = 3
	bench    = 10 * time.Second
)

// trouble counts how often in a row a strategy failed, over all targets. A
// strategy in trouble is asked apart from the others.
type trouble struct {
	failing atomic.Bool
	mu      sync.Mutex
	stopped int // in a row
	since   time.Time
}

func (t *trouble) any() bool { return t.failing.Load() }

// benched is an error where the strategy is left out at that time. The time is
// the document's. A replay that goes back in time asks again.
func (t *trouble) benched(now time.Time) error {
	if !t.any() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped < patience || now.Before(t.since) || now.Sub(t.since) >= bench {
		return nil
	}
	return fmt.Errorf("was stopped %d times in a row; it is asked again at %s", t.stopped, t.since.Add(bench).UTC().Format(time.RFC3339))
}

func (t *trouble) note(now time.Time, err error) {
	if err == nil && !t.any() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return // the caller's own end is not the strategy's fault
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failing.Store(err != nil)
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		t.stopped++
		t.since = now
	} else {
		t.stopped = 0
	}
}
