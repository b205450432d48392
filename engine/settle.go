package engine

import (
	"context"
	"fmt"
	"time"
)

// settle deals with the intents that a crash, or an unwritable journal, left
// without an outcome. It reads the world: a change that is there is done; one of
// a verb that sets a state and is not there is abandoned, and the loop decides
// afresh; one that nobody would propose again (a webhook) is sent again under its
// identity. Until it is settled, an intent holds its claim.
func (a *agent) settle(ctx context.Context) {
	a.concludeLate(ctx)
	var left []Intent
	for _, in := range a.open {
		settleCtx, cancel := context.WithTimeout(ctx, planDeadline)
		if !a.settleOne(settleCtx, in) {
			left = append(left, in)
		}
		cancel()
	}
	a.open = left
}

func (a *agent) settleOne(ctx context.Context, in Intent) bool {
	now := a.host.Clock.Now()
	end := func(status Status, format string, args ...any) bool {
		a.log.Info("settled an intent found open", "target", in.Target, "verb", in.Primitive, "identity", in.Identity, "outcome", status)
		a.finish(in, Outcome{status, fmt.Sprintf(format, args...)}, now, true)
		return true
	}
	if in.DryRun {
		return end(Done, "dry run")
	}
	verb, offered := a.host.Verbs[in.Primitive]
	if !offered {
		return end(Abandoned, "nothing here offers %s any more", in.Primitive)
	}
	if verb.OneShot {
		in.Change.Identity = in.Identity
		a.acts.Go(func() { a.carryOut(in, verb, true) })
		return true
	}
	change, err := callPlan(ctx, verb.Actuator, in.Change.Proposal)
	switch {
	case err != nil:
		if now.Sub(in.At) > time.Hour {
			return end(Abandoned, "after an hour its target still can't be read: %v", err)
		}
		a.log.Warn("an intent found open can't be settled yet", "target", in.Target, "verb", in.Primitive, "error", err)
		return false
	case change.NoOp:
		return end(Done, "found in place after a restart: %s", change.Diff)
	}
	return end(Abandoned, "not in place after a restart (%s): decided afresh", change.Diff)
}

// concludeLate writes the outcomes that the journal could not take before.
func (a *agent) concludeLate(ctx context.Context) {
	a.mu.Lock()
	late := a.unconcluded
	a.unconcluded = nil
	a.mu.Unlock()
	for i, c := range late {
		if err := a.host.Journal.Conclude(ctx, c); err != nil {
			a.mu.Lock()
			a.unconcluded = append(late[i:], a.unconcluded...)
			a.mu.Unlock()
			return
		}
	}
}
