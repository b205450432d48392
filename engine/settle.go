package engine

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// settleAgain is when an intent that could not be settled is looked at again.
	settleAgain = 5 * time.Second
	// tooLate is the age at which an intent that can't be settled is given up.
	tooLate = time.Hour
)

// settle deals with the intents that a crash, a shutdown or an unwritable journal
// left without an outcome. It reads the world: a change that is there is done; one
// of a verb that sets a state and is not there is abandoned, and the loop decides
// afresh; one that nobody would propose again (a webhook; any act that an event or a
// person's answer set going) is begun again under its identity, if the agent still may;
// one that goes on in the world without us (a workflow, a rollout) is followed to its
// end. Until it is settled, an intent holds its claim.
func (a *agent) settle(ctx context.Context) {
	a.concludeLate(ctx)
	if len(a.open) == 0 {
		return
	}
	fleetCtx, cancel := context.WithTimeout(ctx, fleetDeadline)
	fleet, err := callFleet(fleetCtx, a.spec.Fleet)
	cancel()
	if err != nil {
		a.log.Warn("intents found open can't be settled yet", "intents", len(a.open), "error", err)
		return
	}
	targets := make(map[TargetID]*Target, len(fleet))
	for i := range fleet {
		targets[fleet[i].ID()] = &fleet[i]
	}
	if err := a.handOver(ctx); err != nil {
		a.log.Warn("intents found open can't be settled yet", "intents", len(a.open), "error", err)
		return
	}
	settled := make([]bool, len(a.open))
	parallel(a.host.Concurrency, len(a.open), func(i int) {
		one, cancel := context.WithTimeout(ctx, planDeadline)
		defer cancel()
		settled[i] = a.settleOne(one, a.open[i], targets)
	})
	var left []Intent
	for i, in := range a.open {
		if !settled[i] {
			left = append(left, in)
		}
	}
	a.open = left
}

func (a *agent) settleOne(ctx context.Context, in Intent, targets map[TargetID]*Target) bool {
	now := a.host.Clock.Now()
	end := func(status Status, format string, args ...any) bool {
		a.log.Info("settled an intent found open", "target", in.Target, "verb", in.Primitive, "identity", in.Identity, "outcome", status)
		a.finish(in, Outcome{Status: status, Detail: fmt.Sprintf(format, args...), Applied: status == Done && !in.DryRun}, now)
		return true
	}
	verb, offered := a.host.Verbs[in.Primitive]
	switch {
	case in.DryRun:
		return end(Done, "dry run")
	case !offered:
		return end(Abandoned, "nothing here offers %s any more", in.Primitive)
	case now.Sub(in.At) > max(tooLate, verb.Deadline):
		return end(Abandoned, "not settled within %s", max(tooLate, verb.Deadline))
	case verb.OneShot && a.spec.Mode != Enforce:
		return false // it waits for the agent to be let loose again
	case verb.OneShot:
		if why := a.mayStill(in); why != "" {
			return end(Abandoned, "not sent after a restart: %s", why)
		}
		in.Change.Identity = in.Identity
		a.enqueue(in)
		return true
	}
	in.Change.Identity = in.Identity
	if t := targets[in.Target]; t != nil { // the journal knows no more than its name
		in.Change.Proposal.Target = *t
	}
	if resumer, can := verb.Actuator.(Resumer); can {
		begun, err := callResume(ctx, resumer, in.Change)
		switch {
		case err != nil:
			a.log.Warn("an intent found open can't be settled yet", "target", in.Target, "verb", in.Primitive, "error", err)
			return false
		case begun:
			a.log.Info("following an act found under way", "target", in.Target, "verb", in.Primitive, "identity", in.Identity)
			a.acting(func() { a.carryOut(in, a.follow) })
			return true
		}
		switch {
		case in.Begun:
			return end(Abandoned, "it had begun, and is not there any more")
		case !in.Once:
			return end(Abandoned, "it never began: decided afresh")
		}
	}
	a.mu.Lock()
	in.Change.Proposal.Written = a.memoryOf(in.Target).wrote[in.Primitive]
	a.mu.Unlock()
	change, err := callPlan(ctx, verb.Actuator, in.Change.Proposal)
	switch {
	case err != nil && (ctx.Err() != nil || MayPass(err)):
		a.log.Warn("an intent found open can't be settled yet", "target", in.Target, "verb", in.Primitive, "error", err)
		return false
	case err != nil && targets[in.Target] == nil:
		return end(Abandoned, "its target is not there any more")
	case err != nil:
		return end(Abandoned, "not to be found in place after a restart: %v", err)
	case change.NoOp && goesOn(ctx, verb.Actuator, in.Change):
		a.log.Info("following an act found under way", "target", in.Target, "verb", in.Primitive, "identity", in.Identity)
		a.acting(func() { a.carryOut(in, a.follow) })
		return true
	case change.NoOp:
		return end(Done, "found in place after a restart: %s", change.Diff)
	}
	switch {
	case in.Begun:
		return end(Abandoned, "it had begun, and is not in place any more: %s", change.Diff)
	case !in.Once:
		return end(Abandoned, "not in place after a restart (%s): decided afresh", change.Diff)
	}
	if a.spec.Mode != Enforce {
		return false
	}
	if why := a.mayStill(in); why != "" {
		return end(Abandoned, "not begun after a restart: %s", why)
	}
	change.Identity, change.Proposal = in.Identity, in.Change.Proposal
	in.Change = change
	a.enqueue(in)
	return true
}

// goesOn tells whether a change that is in place has not come to its end yet, such as a
// rollout whose pods are not ready.
func goesOn(ctx context.Context, actuator Actuator, change Change) bool {
	verifier, can := actuator.(Verifier)
	if !can {
		return false
	}
	out, err := callVerify(ctx, verifier, change)
	return err == nil && out.Status != Done
}

// mayStill asks the bounds of today about an act of before: "" where it may go on.
func (a *agent) mayStill(in Intent) string {
	if !slices.Contains(a.spec.Strategies, in.Strategy) {
		return in.Strategy + " is no longer among the agent's strategies"
	}
	if !slices.Contains(a.spec.Primitives, in.Primitive) {
		return in.Primitive + " is no longer among the agent's primitives"
	}
	if slices.Contains(a.spec.Guards.Approval, in.Primitive) && !a.approved(in.Identity) {
		return in.Primitive + " waits for a person by now"
	}
	c := &candidate{Proposal: in.Change.Proposal, decision: Decision{Verdict: Admitted}}
	c.Primitive, c.With = in.Primitive, in.With
	a.bound([]*candidate{c})
	return c.decision.Detail
}

// concludeLate writes the outcomes that the journal could not take before. One
// that it still can't take after an hour is left to the next start.
func (a *agent) concludeLate(ctx context.Context) {
	a.mu.Lock()
	late := a.unconcluded
	a.unconcluded = nil
	a.mu.Unlock()
	var left []Conclusion
	for _, c := range late {
		if err := a.host.Journal.Conclude(ctx, c); err == nil {
			continue
		} else if a.host.Clock.Now().Sub(c.At) > tooLate {
			a.log.Error("outcome given up", "identity", c.Identity, "outcome", c.Outcome.Status, "error", err)
			continue
		}
		left = append(left, c)
	}
	a.mu.Lock()
	a.unconcluded = append(left, a.unconcluded...)
	a.mu.Unlock()
}

// unsettled tells whether anything is left to settle, or to remember.
func (a *agent) unsettled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.remembers || !a.asked.heard || len(a.open)+len(a.unconcluded) > 0
}
