package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

var _ engine.Journal = (*Ledger)(nil)

// Ledger is an open log. It is safe for concurrent use.
type Ledger struct {
	o      Options
	store  *store
	writer string // unlike any other's

	// Only Open, and then the writing goroutine, touch these.
	term, seq, made int64
	head, current   *object // current is nil before the first write
	litter          []string

	mu     sync.Mutex // guards what follows
	state  *state
	queue  []*op
	said   said  // waits for others of its kind
	fallen error // set once another writes the log
	closed bool

	wake    chan struct{} // anything waits
	urgent  chan struct{} // somebody waits for it
	closing chan struct{}
	lost    chan struct{} // closed when fallen is set
	done    chan struct{}
	stop    context.CancelFunc
}

// fall notes that this writer was deposed: nothing is written from here on.
func (l *Ledger) fall(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen == nil {
		l.fallen = err
		close(l.lost)
		l.o.Log.Warn("the ledger has another writer: this process does nothing more", "ledger", l.o.Name, "error", err)
	}
	return l.fallen
}

// Lost is closed once another writes the log: this one takes nothing any more, and
// has to be opened again by whoever may.
func (l *Ledger) Lost() <-chan struct{} { return l.lost }

// Keep has acts kept for so long at least: an agent came whose guards look further
// back than the Horizon says.
func (l *Ledger) Keep(horizon time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.o.Horizon = max(l.o.Horizon, horizon)
	l.o.Forget = max(l.o.Forget, l.o.Horizon)
}

// prune drops what nobody asks for any more. The mutex is held.
func (l *Ledger) prune() {
	if lost := l.state.prune(l.o.Clock.Now(), l.o.Horizon, l.o.Forget); lost > 0 {
		l.o.Log.Warn("more dead letters than are kept: the oldest are gone", "ledger", l.o.Name, "gone", lost, "kept", deadMost)
	}
}

// Close takes no more, writes what waits, trying again until ctx ends, and ends the
// ledger. The error says how much was not written: conclusions and ends of deliveries,
// which the next leader finds out by itself. The history stays open. A second call returns nil.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.closing)
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	l.stop()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.said.len() + len(l.queue); left > 0 {
		return fmt.Errorf("close ledger %s: %d records not written, left to the next leader to find out: %w", l.o.Name, left, errors.Join(context.Cause(ctx), l.fallen))
	}
	return nil
}

// usable is nil while the ledger takes writes. The mutex is held.
func (l *Ledger) usable() error {
	switch {
	case l.fallen != nil:
		return l.fallen
	case l.closed:
		return ErrClosed
	}
	return nil
}
