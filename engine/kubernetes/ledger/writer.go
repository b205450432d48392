package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// One goroutine writes. Each of its turns takes what waits, appends it to the
// current segment in one update, and tells those who wait for it:
//
//	waiting --- a firing, events, an approval ----------------> append --> tell
//	    \------ what is said ---> gather, 100 ms at most ------/      \
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
		l.refuse(ErrClosed)
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

// gather waits for more to be said, unless somebody waits for an answer.
func (l *Ledger) gather(ctx context.Context) {
	select {
	case <-l.urgent: // of those who have their answer by now
	default:
	}
	l.mu.Lock()
	hurry := len(l.queue) > 0 || l.said.len() == 0
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

// finish writes what is left, until it is, or the time for it is over.
func (l *Ledger) finish(ctx context.Context) {
	for !l.flushAll(ctx) {
		if !l.sleep(ctx, firstRetry) {
			return
		}
	}
}

// flushAll writes until nobody waits, or a write fails. It returns whether nothing is
// to be tried again. What is said meanwhile is left to be gathered.
func (l *Ledger) flushAll(ctx context.Context) bool {
	for first := true; ; first = false {
		l.mu.Lock()
		idle := l.fallen != nil || len(l.queue)+l.said.len() == 0
		if !first && !l.closed && len(l.queue) == 0 && l.said.len() > 0 {
			signal(l.wake)
			idle = true
		}
		if l.fallen != nil {
			l.refuse(l.fallen)
		}
		l.mu.Unlock()
		if idle {
			return true
		}
		if !l.flush(ctx) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.fallen == nil && len(l.queue)+l.said.len() == 0
		}
	}
}

// refuse tells everybody who waits. The mutex is held.
func (l *Ledger) refuse(err error) {
	l.queue = slices.DeleteFunc(l.queue, func(o *op) bool {
		if o.result != nil {
			o.end(0, err)
		}
		return o.result != nil
	})
}

// flush writes one update's worth of what waits.
func (l *Ledger) flush(ctx context.Context) bool {
	ops, said := l.next()
	if len(ops)+said.len() == 0 {
		return true
	}
	var records []string
	if said.len() > 0 { // it goes first: what it is about is in the log already
		record, _, err := encode(&batch{Conclusions: said.conclusions, Handled: said.ends})
		if err != nil {
			l.o.Log.Error("conclusions lost", "ledger", l.o.Name, "error", err)
			said.conclusions, said.ends = nil, nil
		} else {
			records = append(records, record)
		}
	}
	for _, o := range ops {
		records = append(records, o.record)
	}
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	err := l.append(ctx, records, func() { // it had landed after all, when all were told that it failed
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o := range ops {
			l.landed(o)
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		for _, o := range ops {
			l.landed(o)
		}
		if len(l.state.acts) > 2*l.state.pruned+1000 {
			l.prune()
		}
		return true
	}
	if errors.Is(err, errMoved) {
		l.putBack(ops, said)
		return true
	}
	l.failed(ops, said, apiclient.Classify(fmt.Errorf("write ledger %s: %w", l.o.Name, err)))
	return false
}
