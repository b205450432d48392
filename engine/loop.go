package engine

import (
	"context"
	"time"
)

// clockLook is how often the clock is looked at while an agent waits for a time: it may be
// set meanwhile.
const clockLook = time.Minute

// journalRetry is when events that the journal failed are looked at again.
const journalRetry = 5 * time.Second

// run is the loop, until the context ends. actCtx outlives it by the time that
// acts under way are given to end.
func (a *agent) run(ctx, actCtx context.Context) {
	a.actCtx, a.begun = actCtx, a.host.Clock.Now()
	due := newSchedule(a.spec.Triggers, a.begun, a.name, a.host.Seed)
	a.mu.Lock()
	a.status.Interval = due.interval()
	a.mu.Unlock()
	a.signal() // the inbox may hold events from before
	a.watching.start(ctx, a)
	for ctx.Err() == nil {
		a.clockSetBack(due)
		a.tidy(ctx)
		a.look(ctx)
		for _, take := range []func(time.Time) ([]TriggerInfo, []time.Time){due.take, a.watching.take} {
			triggers, since := take(a.host.Clock.Now())
			for i, t := range triggers {
				if ctx.Err() == nil {
					a.fire(ctx, t, a.host.Clock.Now().Sub(since[i]))
				}
			}
		}
		a.wait(ctx, due)
	}
	a.watching.work.Wait()
	a.sampler.wg.Wait()
	a.acts.Wait()
	a.keepReadings()
}

// tidy reads back the agent's memory, where that was not possible yet, and settles
// what an earlier life left open.
func (a *agent) tidy(ctx context.Context) {
	now := a.host.Clock.Now()
	if !a.unsettled() || now.Before(a.tidyAt) {
		return
	}
	if err := a.remember(ctx); err == nil {
		a.hear(ctx)
		a.settle(ctx)
	}
	a.tidyAt = now.Add(settleAgain)
}

// wait returns when a trigger is due or something is to be tidied, or after it has
// handled one event: neither ticks nor events starve the other.
func (a *agent) wait(ctx context.Context, due *schedule) {
	var timer <-chan time.Time
	if next, any := a.wakeAt(due); any {
		wake, stop := a.host.Clock.Timer(min(next.Sub(a.host.Clock.Now()), clockLook))
		defer stop()
		timer = wake
		if !next.After(a.host.Clock.Now()) { // it came while the timer was set
			now := make(chan time.Time)
			close(now)
			timer = now
		}
	}
	select {
	case <-a.wake: // before the timer, which would win every time where firings take long
		a.handleEvent(ctx)
		return
	default:
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-a.watching.moved:
	case answer := <-a.shown:
		a.show(answer)
	case <-a.wake:
		a.handleEvent(ctx)
	}
}

// wakeAt is when the loop has something to do, if no event comes before.
func (a *agent) wakeAt(due *schedule) (time.Time, bool) {
	at, any := due.next()
	sooner := func(t time.Time) {
		if !any || t.Before(at) {
			at, any = t, true
		}
	}
	if !a.retryAt.IsZero() {
		sooner(a.retryAt)
		if !a.retryAt.After(a.host.Clock.Now()) {
			a.retryAt = time.Time{}
			a.signal()
		}
	}
	if held, any := a.nextHeld(); any && a.spec.Mode != Paused && a.retryAt.IsZero() {
		sooner(held)
		if !held.After(a.host.Clock.Now()) {
			a.signal()
		}
	}
	if a.unsettled() {
		sooner(a.tidyAt)
	}
	if look, any := a.nextLook(); any {
		sooner(look)
	}
	if seen, waits := a.watching.nextAt(); waits {
		sooner(seen)
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

// attemptsMost is how often handling one event may fail before it is set aside.
const attemptsMost = 5

// handleEvent fires for the oldest event of the inbox: none is merged away. One
// whose firing could not be recorded, or had no fleet to ask, stays there, and
// those after it too. One over which the strategies fail, or propose more than the
// journal takes of one firing, is asked about again, and then becomes a dead letter.
func (a *agent) handleEvent(ctx context.Context) {
	if a.spec.Mode == Paused || a.host.Clock.Now().Before(a.retryAt) { // what comes meanwhile hurries nothing
		return
	}
	event, more, err := a.nextEvent(ctx)
	if err != nil {
		a.log.Error("inbox can't be read", "error", err)
		a.retryAt = a.host.Clock.Now().Add(journalRetry)
		return
	}
	if event == nil || ctx.Err() != nil {
		return
	}
	info := TriggerInfo{Kind: "event", Event: event, Held: event.Held}
	event.Held = nil
	if t := eventTrigger(a.spec.Triggers, event, labelsOf(event)); t != nil {
		info.Name = t.Name
		if t.Alert != nil {
			info.Kind = "alert"
		}
	}
	if !a.fire(ctx, info, a.host.Clock.Now().Sub(event.Time)) && !a.setAside(ctx, *event) {
		return
	}
	a.attempts = 0
	if more {
		a.signal()
	}
}

// setAside makes an event a dead letter whose handling failed often enough by what it
// is, and else has it looked at again later.
func (a *agent) setAside(ctx context.Context, e Event) bool {
	wait := journalRetry
	if a.failed != "" {
		a.attempts++
		wait = time.Second << min(a.attempts, 5)
	}
	if a.attempts >= attemptsMost {
		err := a.host.Journal.Bury(ctx, a.name, e, a.failed)
		if err == nil {
			a.log.Error("event is a dead letter", "event", Echo(e.ID), "type", Echo(e.Type), "error", a.failed)
			return true
		}
		a.log.Error("event can't be set aside", "event", Echo(e.ID), "error", err)
	}
	if ctx.Err() == nil {
		a.log.Warn("event stays in the inbox", "event", Echo(e.ID))
	}
	a.retryAt = a.host.Clock.Now().Add(wait)
	return false
}
