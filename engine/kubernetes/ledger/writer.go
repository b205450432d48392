package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// One goroutine writes. It repeatedly appends the queued records to the current segment in one
// update, and answers their callers:
//
//	queue ------ a firing, events, an approval ----------------> append --> answer
//	outcomes --- conclusions, ends ---> gather, 100 ms at most --/     \
//	                                      ^---- back off, if any is left

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Ledger) loop(ctx context.Context) {
	defer close(l.done)
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failWaiting(ErrClosed)
	}()
	pause, failures := backoff.Exponential{First: time.Second, Most: 10 * time.Second}, 0
	var again <-chan time.Time
	stopTimer := func() {}
	defer func() { stopTimer() }()
	for {
		select {
		case <-l.wake:
		case <-again:
		case <-l.closing:
			l.finish(ctx)
			return
		}
		stopTimer()
		again, stopTimer = nil, func() {}
		l.gather(ctx)
		if l.flushAll(ctx) {
			failures = 0
			continue
		}
		failures++
		again, stopTimer = l.o.Clock.Timer(pause.After(failures))
	}
}

// gather waits for more outcomes, unless a caller waits for a write.
func (l *Ledger) gather(ctx context.Context) {
	select {
	case <-l.urgent: // from callers that have been answered
	default:
	}
	l.mu.Lock()
	hurry := len(l.queue) > 0 || l.outcomes.len() == 0
	l.mu.Unlock()
	if hurry {
		return
	}
	wake, stop := l.o.Clock.Timer(l.o.Gather)
	defer stop()
	select {
	case <-wake:
	case <-l.urgent:
	case <-l.closing:
	case <-ctx.Done():
	}
}

// finish writes what is left, until ctx ends.
func (l *Ledger) finish(ctx context.Context) {
	for !l.flushAll(ctx) {
		if !engine.Sleep(ctx, l.o.Clock, firstRetry) {
			return
		}
	}
}

// flushAll writes until the queue is empty or a write fails. It reports whether nothing has to
// be retried. Outcomes that arrive meanwhile are left to be gathered.
func (l *Ledger) flushAll(ctx context.Context) bool {
	for first := true; ; first = false {
		l.mu.Lock()
		idle := l.deposedErr != nil || len(l.queue)+l.outcomes.len() == 0
		if !first && !l.closed && len(l.queue) == 0 && l.outcomes.len() > 0 {
			signal(l.wake)
			idle = true
		}
		if l.deposedErr != nil {
			l.failWaiting(l.deposedErr)
		}
		l.mu.Unlock()
		if idle {
			return true
		}
		if !l.flush(ctx) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.deposedErr == nil && len(l.queue)+l.outcomes.len() == 0
		}
	}
}

// failWaiting answers all callers with an error. The mutex is held.
func (l *Ledger) failWaiting(err error) {
	l.queue = slices.DeleteFunc(l.queue, func(o *op) bool {
		if o.result != nil {
			o.end(0, err)
		}
		return o.result != nil
	})
}

// flush writes one update.
func (l *Ledger) flush(ctx context.Context) bool {
	ops, outs := l.next()
	if len(ops)+outs.len() == 0 {
		return true
	}
	var records []string
	if outs.len() > 0 { // outcomes go first: they are about records in the log
		record, _, err := encode(&batch{Conclusions: outs.conclusions, Handled: outs.ends})
		if err != nil {
			l.o.Log.Error("conclusions lost", "ledger", l.o.Name, "error", err)
			outs.conclusions, outs.ends = nil, nil
		} else {
			records = append(records, record)
		}
	}
	for _, o := range ops {
		records = append(records, o.record)
	}
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	err := l.append(ctx, records, func() { // it has landed, after all callers were told of a failure
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o := range ops {
			l.committed(o)
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		for _, o := range ops {
			l.committed(o)
		}
		if len(l.state.acts) > 2*l.state.pruned+1000 {
			l.prune()
		}
		return true
	}
	if errors.Is(err, errEarlierLanded) {
		l.requeue(ops, outs)
		return true
	}
	l.writeFailed(ops, outs, apiclient.Classify(fmt.Errorf("write ledger %s: %w", l.o.Name, err)))
	return false
}
