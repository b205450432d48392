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
	writer string // unique

	// Used by Open, and then only by the writing goroutine.
	term, seq, made int64
	head, current   *object // current is nil before the first write
	garbage         []string

	mu         sync.Mutex // guards what follows
	state      *state
	queue      []*op
	outcomes   outcomes         // nobody waits for them
	remembered map[noteKey]note // not written yet
	deposedErr error            // set when another process has become the writer
	closed     bool

	wake    chan struct{} // there is something to write
	urgent  chan struct{} // a caller waits for the write
	closing chan struct{}
	lost    chan struct{} // closed when deposedErr is set
	done    chan struct{}
	stop    context.CancelFunc
}

// setDeposed records that another process has become the writer, and stops all writes.
func (l *Ledger) setDeposed(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr == nil {
		l.deposedErr = err
		close(l.lost)
		l.o.Log.Warn("the ledger has another writer: this process does nothing more", "ledger", l.o.Name, "error", err)
	}
	return l.deposedErr
}

// Lost returns a channel that is closed when another process has become the writer. The
// ledger is of no use then, and the next leader opens it again.
func (l *Ledger) Lost() <-chan struct{} { return l.lost }

// Keep raises the Horizon for an agent whose guards look further back.
func (l *Ledger) Keep(horizon time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.o.Horizon = max(l.o.Horizon, horizon)
	l.o.Forget = max(l.o.Forget, l.o.Horizon)
}

// prune drops expired records. The mutex is held.
func (l *Ledger) prune() {
	if lost := l.state.prune(l.o.Clock.Now(), l.o.Horizon, l.o.Forget); lost > 0 {
		l.o.Log.Warn("more dead letters than are kept: the oldest are gone", "ledger", l.o.Name, "gone", lost, "kept", maxDead)
	}
}

// Close refuses new records, writes the queued ones, retrying until ctx ends, and stops the
// writing goroutine. The error says how many records were not written: conclusions and ends
// of deliveries, which the next leader finds out by itself. The history stays open. A second
// call returns nil.
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
	if left := l.outcomes.len() + len(l.queue); left > 0 {
		return fmt.Errorf("close ledger %s: %d records not written, left to the next leader to find out: %w", l.o.Name, left, errors.Join(context.Cause(ctx), l.deposedErr))
	}
	return nil
}

// usable returns nil while the ledger accepts writes. The mutex is held.
func (l *Ledger) usable() error {
	switch {
	case l.deposedErr != nil:
		return l.deposedErr
	case l.closed:
		return ErrClosed
	}
	return nil
}
