package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// deliver sends what a stream has: to a peer all at once, to any other endpoint one by one.
func (o *Outbox) deliver(k streamKey, l *stream, batch []engine.Delivery) {
	defer func() { <-o.semaphore; o.Wake() }()
	each := len(batch)
	if k.to.Agent != "" || l.single {
		each = 1
	}
	for len(batch) > 0 && o.ready(k, l, &batch[0]) {
		now := batch[:each]
		if batch = batch[each:]; !o.send(k, l, now, len(batch) == 0) {
			return
		}
	}
}

// ready reports whether a stream may send its next delivery. One whose deadline has passed
// does not wait.
func (o *Outbox) ready(k streamKey, l *stream, next *engine.Delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	l.busy = !l.unacked.until.After(now) && (!o.pauseOf(k, l).until.After(now) || !now.Before(next.Deadline()))
	return l.busy
}

// send sends events of a stream, and records how their deliveries ended. It reports whether
// the stream goes on; last is set where it has no more.
func (o *Outbox) send(k streamKey, l *stream, batch []engine.Delivery, last bool) (goes bool) {
	receipts, err := o.trySend(k, l, batch)
	if o.ctx.Err() != nil {
		return false
	}
	acks, pauses := o.judge(k, batch, receipts, err)
	var ackErr error
	if len(acks) > 0 {
		if ackErr = o.store.Ack(o.ctx, acks); ackErr != nil { // they are delivered again
			o.log.Error("deliveries not noted", "to", urlguard.Host(k.to.URL), "error", ackErr)
		} else {
			o.conclude(k.to.Agent, batch, acks)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if asks := retryAfter(err); asks > 0 {
		o.pauseDestination(k.to, asks, err)
	}
	switch {
	case ackErr != nil:
		l.unacked = pauseFor(o.clock.Now(), storeRetry, ackErr)
		l.busy = false
		return false
	case errors.As(err, new(*tooLateError)): // the others are not affected
		l.busy = !last && !o.retired
		return l.busy
	case pauses:
		if l.failures == 0 {
			l.since = o.clock.Now()
		}
		if l.failures == 0 && err != nil { // once, until something is delivered again
			o.log.Warn("events wait: they can't be delivered now, and are tried again", "to", urlguard.Host(k.to.URL), "from", engine.Echo(k.source), "events", len(batch), "error", err)
		}
		l.failures++
		l.off = pauseFor(o.clock.Now(), retry.After(l.failures), err)
		l.busy = false
		return false
	case l.failures > 0 && err == nil:
		o.log.Info("events are delivered again", "to", urlguard.Host(k.to.URL), "from", engine.Echo(k.source))
	}
	l.failures, l.off, l.since = 0, pause{}, time.Time{}
	l.single = err != nil && len(batch) > 1 // the batch was refused as a whole
	l.busy = !last && !o.retired
	return l.busy
}

// tooLateError is the error of a call whose deadline passed before it could be made.
type tooLateError struct{ error }

// trySend sends events, unless a call is too late or the current guards forbid it.
func (o *Outbox) trySend(k streamKey, l *stream, batch []engine.Delivery) ([]engine.Receipt, error) {
	if d := &batch[0]; d.Event.Call != nil {
		o.mu.Lock()
		before := o.pauseOf(k, l).why
		o.mu.Unlock()
		if !o.clock.Now().Before(d.Deadline()) {
			if before == nil {
				before = errors.New("its turn did not come before")
			}
			return nil, &tooLateError{fmt.Errorf("not answered within %s: %w", d.Timeout(), before)}
		}
		if err := o.calls.Allowed(k.to); err != nil {
			return nil, err
		}
	}
	events := make([]engine.Event, len(batch))
	for i, d := range batch {
		events[i] = d.Event
	}
	ctx, cancel := context.WithTimeout(o.ctx, deliverDeadline)
	defer cancel()
	return o.call(ctx, k.to, events)
}

// conclude passes the outcomes of calls to their agents.
func (o *Outbox) conclude(agent string, batch []engine.Delivery, acks []engine.Ack) {
	byID := map[string]string{}
	for _, d := range batch {
		byID[d.ID] = d.Event.ID
	}
	for _, s := range acks {
		if s.Outcome != nil {
			o.calls.Ended(agent, engine.Conclusion{Identity: byID[s.ID], Outcome: *s.Outcome, At: s.At})
		}
	}
}

// call turns a panic of the deliverer into its error.
func (o *Outbox) call(ctx context.Context, to engine.Destination, events []engine.Event) (receipts []engine.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return o.deliverer.Deliver(ctx, to, events)
}
