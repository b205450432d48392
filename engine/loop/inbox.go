package loop

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

const (
	// queueRetry is the pause after the journal failed over an event.
	queueRetry = 5 * time.Second
	// mostAttempts bounds how often handling one event may fail before it is a dead letter.
	mostAttempts = 5
)

// attemptPause has the pauses before an event is handled again whose strategies failed.
var attemptPause = backoff.Exponential{First: 2 * time.Second, Most: 32 * time.Second}

// inbox is the events of one agent: which is handled next, and which are deferred. The loop's
// goroutine uses it.
type inbox struct {
	queue engine.Queue
	agent string
	clock engine.Clock
	log   hclog.Logger
	begun time.Time // when the loop began

	deferred map[string]time.Time // when each deferred event is handled again, by key
	retryAt  time.Time            // when an event that could not be handled is tried again
	attempts int                  // of the next event that failed because of its strategies
}

// next returns the oldest event that is not deferred, nil if there is none; more reports
// whether there is another.
func (b *inbox) next(ctx context.Context) (next *engine.Event, more bool, err error) {
	now := b.clock.Now()
	for limit := 2 + len(b.deferred); ; limit *= 2 {
		events, err := b.queue.Inbox(ctx, b.agent, limit)
		if err != nil {
			return nil, false, err
		}
		deferred := map[string]time.Time{}
		for i := range events {
			e := &events[i]
			switch {
			case e.Deferral.Waits(now, b.begun):
				deferred[e.Key()] = e.Deferral.Until
			case next != nil:
				return next, true, nil
			default:
				next = e
			}
		}
		whole := len(events) < limit
		if whole {
			b.deferred = deferred
		}
		if whole || next != nil {
			return next, !whole, nil
		}
	}
}

// nextDue returns when an event has to be handled that is in the inbox already, and reports
// whether there is one. Deferred events wait while the agent is paused.
func (b *inbox) nextDue(deferred bool) (at time.Time, any bool) {
	if !b.retryAt.IsZero() {
		return b.retryAt, true
	}
	if !deferred {
		return at, false
	}
	for _, until := range b.deferred {
		if !any || until.Before(at) {
			at, any = until, true
		}
	}
	return at, any
}

// recorded updates the deferred events once a turn on an event is recorded.
func (b *inbox) recorded(e *engine.Event, d *engine.Disposition) {
	if e == nil {
		return
	}
	delete(b.deferred, e.Key())
	switch {
	case d == nil:
	case d.Dead:
		b.log.Error("event is a dead letter", "event", engine.Echo(e.ID), "type", engine.Echo(e.Type), "error", d.Why)
	default:
		b.deferred[e.Key()] = d.Event.Deferral.Until
		if d.Event.Deferral.Looks == 1 {
			b.log.Info("event waits", "event", engine.Echo(e.ID), "type", engine.Echo(e.Type), "until", d.Event.Deferral.Until, "why", d.Why)
		}
	}
}

// retry sets when an event that could not be handled is tried again. One that failed too
// often because of its strategies becomes a dead letter; it reports whether that is so.
func (b *inbox) retry(ctx context.Context, e *engine.Event, failed string) bool {
	wait := queueRetry
	if failed != "" {
		b.attempts++
		wait = attemptPause.After(b.attempts)
	}
	if b.attempts >= mostAttempts {
		err := b.queue.DeadLetter(ctx, b.agent, *e, failed)
		if err == nil {
			b.log.Error("event is a dead letter", "event", engine.Echo(e.ID), "type", engine.Echo(e.Type), "error", failed)
			return true
		}
		b.log.Error("event can't be set aside", "event", engine.Echo(e.ID), "error", err)
	}
	if ctx.Err() == nil {
		b.log.Warn("event stays in the inbox", "event", engine.Echo(e.ID))
	}
	b.retryAt = b.clock.Now().Add(wait)
	return false
}

// rewind moves times in the future to now, after the clock was set back.
func (b *inbox) rewind(now time.Time) {
	b.retryAt, b.begun = engine.NotAfter(b.retryAt, now), engine.NotAfter(b.begun, now)
}

// handleEvent fires for the oldest event of the inbox: each event has a turn of its own. One
// whose turn could not be recorded, or had no fleet, stays in the inbox, and those after it
// too. One over which the strategies fail, or propose more than the journal stores in one
// turn, is tried again, and then becomes a dead letter.
func (a *agent) handleEvent(ctx context.Context) {
	if a.spec.Mode == engine.Paused || a.m.Clock.Now().Before(a.inbox.retryAt) { // a new event does not shorten the pause
		return
	}
	event, more, err := a.inbox.next(ctx)
	if err != nil {
		a.log.Error("inbox can't be read", "error", err)
		a.inbox.retryAt = a.m.Clock.Now().Add(queueRetry)
		return
	}
	if event == nil || ctx.Err() != nil {
		return
	}
	info := engine.TriggerInfo{Kind: "event", Event: event, Deferral: event.Deferral}
	event.Deferral = nil
	if t := engine.EventTrigger(a.spec.Triggers, event, event.Labels()); t != nil {
		info.Name = t.Name
		if t.Alert != nil {
			info.Kind = "alert"
		}
	}
	handled, failed := a.fire(ctx, info, nil, a.m.Clock.Now().Sub(event.Time))
	if !handled && !a.inbox.retry(ctx, event, failed) {
		return
	}
	a.inbox.attempts = 0
	if more {
		a.signal()
	}
}
