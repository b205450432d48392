package loop

import (
	"context"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// clockCheck bounds a wait: the clock may be set meanwhile.
const clockCheck = time.Minute

// run is the loop, until ctx ends. actCtx ends later, by the time that acts in progress
// get to end.
func (a *agent) run(ctx, actCtx context.Context) {
	begun := a.m.Clock.Now()
	a.runner.ctx, a.inbox.begun = actCtx, begun
	due := newSchedule(a.spec.Triggers, begun, a.Name(), a.m.Seed)
	a.mu.Lock()
	a.status.Interval = due.interval()
	a.mu.Unlock()
	a.signal() // the inbox may have events from before
	a.watches.start(ctx)
	for ctx.Err() == nil {
		a.checkClock(due)
		a.recovery.run(ctx)
		a.handleApprovals(ctx)
		for _, take := range []func(time.Time) []firing{due.take, a.watches.take} {
			for _, f := range take(a.m.Clock.Now()) {
				if ctx.Err() == nil {
					a.fire(ctx, f.trigger, nil, a.m.Clock.Now().Sub(f.since))
				}
			}
		}
		a.wait(ctx, due)
	}
	a.watches.work.Wait()
	a.sampler.wg.Wait()
	a.runner.work.Wait()
	a.saveReadingsAtEnd()
}

// wait returns when a trigger or another task is due, or after it has handled one event:
// neither ticks nor events starve the other.
func (a *agent) wait(ctx context.Context, due *schedule) {
	var timer <-chan time.Time
	if next, any := a.nextDue(due); any {
		wake, stop := a.m.Clock.Timer(min(next.Sub(a.m.Clock.Now()), clockCheck))
		defer stop()
		timer = wake
		if !next.After(a.m.Clock.Now()) { // it became due while the timer was set
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
	case <-a.watches.changed:
	case answer := <-a.documents:
		answer <- a.Documents(mostDocuments)
	case answer := <-a.forks:
		answer <- a.fork()
	case <-a.wake:
		a.handleEvent(ctx)
	}
}

// nextDue returns when the loop has something to do if no event arrives before.
func (a *agent) nextDue(due *schedule) (time.Time, bool) {
	at, any := due.next()
	sooner := func(t time.Time, is bool) {
		if is && (!any || t.Before(at)) {
			at, any = t, true
		}
	}
	if t, is := a.inbox.nextDue(a.spec.Mode != engine.Paused); is {
		sooner(t, true)
		if !t.After(a.m.Clock.Now()) {
			a.inbox.retryAt = time.Time{}
			a.signal()
		}
	}
	sooner(a.recovery.nextDue())
	if a.handlesApprovals() {
		sooner(a.Approvals.NextDue())
	}
	sooner(a.watches.nextAt())
	return at, any
}

// signal wakes the loop for an event or a person's decision.
func (a *agent) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// checkClock finds out whether the clock was set back since the last call. If so, no time
// that the agent waits for is later than it would be had the wait begun now.
func (a *agent) checkClock(due *schedule) {
	now := a.m.Clock.Now()
	by := a.lastClock.Sub(now.Round(0)) // as the clock shows them: the monotonic reading never goes back
	known := !a.lastClock.IsZero()
	a.lastClock = now.Round(0)
	if !known || by <= 0 {
		return
	}
	if by > time.Second {
		a.log.Warn("the clock was set back; what was to wait for a later time waits no longer than from now on", "by", by.Round(time.Millisecond))
	}
	due.rewind(now, by)
	a.watches.rewind(now)
	a.inbox.rewind(now)
	a.recovery.rewind(now)
	a.Memory.Rewind(now)
	a.Approvals.Rewind(now)
}
