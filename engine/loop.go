package engine

import (
	"context"
	"time"
)

// journalRetry is when events that the journal failed are looked at again.
const journalRetry = 5 * time.Second

// run is the loop, until the context ends. actCtx outlives it by the time that
// acts under way are given to end.
func (a *agent) run(ctx, actCtx context.Context) {
	a.actCtx = actCtx
	due := newSchedule(a.spec.Triggers, a.host.Clock.Now(), a.name, a.host.Seed)
	a.mu.Lock()
	a.status.Interval = due.interval()
	a.mu.Unlock()
	a.signal() // the inbox may hold events from before
	for ctx.Err() == nil {
		a.fireDue(ctx, due)
		next, any := a.wakeAt(due)
		var timer <-chan time.Time
		stop := func() {}
		if any {
			timer, stop = a.host.Clock.Timer(next.Sub(a.host.Clock.Now()))
			if !next.After(a.host.Clock.Now()) { // it came while the timer was set
				stop()
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-timer:
		case <-a.wake:
			a.handleEvents(ctx)
		}
		stop()
	}
	a.sampler.wg.Wait()
	a.acts.Wait()
}

// fireDue fires the time triggers that are due, each once, and events that were
// left over.
func (a *agent) fireDue(ctx context.Context, due *schedule) {
	triggers, since := due.take(a.host.Clock.Now())
	for i, t := range triggers {
		if ctx.Err() == nil {
			a.fire(ctx, t, a.host.Clock.Now().Sub(since[i]))
		}
	}
	if !a.retryAt.IsZero() && !a.retryAt.After(a.host.Clock.Now()) {
		a.handleEvents(ctx)
	}
}

// wakeAt is when the loop has something to do, if no event comes before.
func (a *agent) wakeAt(due *schedule) (time.Time, bool) {
	at, any := due.next()
	if !a.retryAt.IsZero() && (!any || a.retryAt.Before(at)) {
		return a.retryAt, true
	}
	return at, any
}

// signal wakes the loop for an event.
func (a *agent) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// handleEvents fires once for each event of the inbox: none is merged away. One
// whose firing the journal did not take stays there, and those after it too.
func (a *agent) handleEvents(ctx context.Context) {
	if a.spec.Mode == Paused {
		return
	}
	a.retryAt = time.Time{}
	events, err := a.host.Journal.Inbox(ctx, a.name)
	if err != nil {
		a.log.Error("inbox can't be read", "error", err)
		a.retryAt = a.host.Clock.Now().Add(journalRetry)
		return
	}
	for _, e := range events {
		if ctx.Err() != nil {
			return
		}
		info := TriggerInfo{Kind: "event", Event: &e}
		for _, t := range a.spec.Triggers {
			if t.Event == e.Type {
				info.Name = t.Name
			}
		}
		rec := a.fire(ctx, info, a.host.Clock.Now().Sub(e.Time))
		if a.journalError() != "" {
			a.log.Error("event stays in the inbox", "event", e.ID, "firing", rec.ID)
			a.retryAt = a.host.Clock.Now().Add(journalRetry)
			return
		}
	}
}
