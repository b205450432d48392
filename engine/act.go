package engine

import (
	"context"
	"fmt"
	"time"
)

const (
	// planDeadline bounds how long one target's plan may hold up the firing.
	planDeadline = 2 * time.Second
	// concludeDeadline bounds the writing of an outcome, after the act's own deadline.
	concludeDeadline = 10 * time.Second
	retryFirst       = 200 * time.Millisecond
	retryMost        = 10 * time.Second
	verifyFirst      = 100 * time.Millisecond
	verifyMost       = 2 * time.Second
)

// admit passes the candidates through the bounds, in the fleet's order, and
// counts each one that passes at once, so that the next sees it.
func (a *agent) admit(candidates []*candidate, firing string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touched = nil
	for _, c := range candidates {
		if !c.live() {
			continue
		}
		if a.bound(c, now); !c.live() {
			continue
		}
		c.Identity = Identity(c.Proposal, firing)
		want := Claim{Agent: a.name, Strategy: c.Strategy, Verb: c.Primitive}
		if holder, until, ok := a.host.claims.take(c.Target.ID(), c.claim, want, c.Identity, now); !ok {
			held := holder.State
			if !until.IsZero() {
				held += " until " + until.UTC().Format(time.RFC3339)
			}
			c.refuse("claims", "%s is held by %s of %s (%s)", c.claim, holder.Verb, holder.Agent, held)
			continue
		}
		c.decision.Identity, c.decision.DryRun = c.Identity, a.spec.Mode == DryRun
		a.memoryOf(c.Target.ID()).counted(a.intent(c, firing, now))
		if a.touched != nil {
			a.touched[c.Target.ID()] = true
		}
	}
}

func (a *agent) intent(c *candidate, firing string, now time.Time) Intent {
	in := Intent{
		Identity: c.Identity, Firing: firing, Agent: a.name, Target: c.Target.ID(), Strategy: c.Strategy,
		Primitive: c.Primitive, With: c.With, Claim: c.claim, At: now, DryRun: a.spec.Mode == DryRun, Change: c.change,
	}
	if c.verb.Direction != nil {
		in.Direction = c.verb.Direction(c.Proposal)
	}
	return in
}

// plan asks the actuators what they would do, and drops what is so already. A
// dry run plans as a real one does.
func (a *agent) plan(ctx context.Context, candidates []*candidate) {
	var live []*candidate
	for _, c := range candidates {
		if c.live() {
			live = append(live, c)
		}
	}
	errs := make([]error, len(live))
	parallel(a.host.Concurrency, len(live), func(i int) {
		planCtx, cancel := context.WithTimeout(ctx, planDeadline)
		defer cancel()
		live[i].change, errs[i] = callPlan(planCtx, live[i].verb.Actuator, live[i].Proposal)
	})
	now := a.host.Clock.Now()
	for i, c := range live {
		c.change.Identity, c.change.Proposal = c.Identity, c.Proposal
		switch {
		case errs[i] != nil:
			c.refuse("plan", "%s can't be planned: %v", c.Primitive, errs[i])
		case c.change.NoOp:
			c.decision.Verdict, c.decision.Detail = Unchanged, c.change.Diff
		default:
			if c.decision.Detail != "" {
				c.decision.Detail = c.change.Diff + " (" + c.decision.Detail + ")"
			} else {
				c.decision.Detail = c.change.Diff
			}
			continue
		}
		a.unadmit(c, now)
		c.decision.Identity = ""
	}
}

// unadmit takes back what admit counted.
func (a *agent) unadmit(c *candidate, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memoryOf(c.Target.ID()).uncounted(c.Identity)
	a.host.claims.release(c.Target.ID(), c.claim, c.Identity, now, now)
}

// withdraw takes back every admission of a firing that could not be recorded.
func (a *agent) withdraw(candidates []*candidate, slots []*slot) {
	now := a.host.Clock.Now()
	for _, c := range candidates {
		if c.live() {
			a.unadmit(c, now)
		}
	}
	for _, s := range slots {
		s.reported = ""
	}
}

// dispatch sets the admitted acts going. The firing does not wait for them: a
// slow one holds its claim, and nothing else.
func (a *agent) dispatch(candidates []*candidate, firing string, now time.Time) {
	for _, c := range candidates {
		if !c.live() {
			continue
		}
		in := a.intent(c, firing, now)
		a.mu.Lock()
		a.memoryOf(in.Target).began(in)
		a.mu.Unlock()
		a.acts.Go(func() {
			select {
			case a.room <- struct{}{}:
				defer func() { <-a.room }()
			case <-a.actCtx.Done():
				a.finish(in, Outcome{Status: Abandoned, Detail: "the agent stopped before it began"}, now, false)
				return
			}
			a.carryOut(in, c.verb, false)
		})
	}
}

// carryOut writes the intent, does the act and writes what became of it. Cut off
// by a shutdown, it writes no outcome: the next start finds the intent open and
// settles it.
func (a *agent) carryOut(in Intent, verb Verb, intended bool) {
	deadline := verb.Deadline
	if deadline <= 0 {
		deadline = DefaultActDeadline
	}
	ctx, cancel := context.WithTimeout(a.actCtx, deadline)
	defer cancel()
	if !intended {
		if err := a.host.Journal.Intend(ctx, in); err != nil {
			a.log.Error("no intent, no act", "target", in.Target, "verb", in.Primitive, "error", err)
			a.finish(in, Outcome{Status: Abandoned, Detail: "its intent could not be written: " + err.Error()}, in.At, false)
			return
		}
	}
	out := Outcome{Status: Done, Detail: "dry run"}
	if !in.DryRun { // the only place where anything is applied
		out = a.apply(ctx, verb.Actuator, in.Change)
	}
	if a.actCtx.Err() != nil && out.Status != Done {
		a.log.Warn("act cut off by shutdown, to be settled by the next start", "target", in.Target, "verb", in.Primitive, "identity", in.Identity)
		return
	}
	a.finish(in, out, a.host.Clock.Now(), true)
}

// apply applies a change, again where the error may pass, and verifies it.
func (a *agent) apply(ctx context.Context, actuator Actuator, change Change) Outcome {
	out, err := callApply(ctx, actuator, change)
	for wait := retryFirst; err != nil; wait = min(2*wait, retryMost) {
		if !MayPass(err) {
			return Outcome{Status: Failed, Detail: err.Error()}
		}
		if !a.sleep(ctx, wait) {
			return Outcome{Status: Failed, Detail: "gave up at the deadline: " + err.Error()}
		}
		out, err = callApply(ctx, actuator, change)
	}
	verifier, can := actuator.(Verifier)
	if !can {
		return out
	}
	for wait := verifyFirst; out.Status == Running; wait = min(2*wait, verifyMost) {
		if !a.sleep(ctx, wait) {
			return Outcome{Status: Failed, Detail: "not done by its deadline: " + out.Detail}
		}
		next, err := verifier.Verify(ctx, change)
		if err != nil {
			next = Outcome{Status: Running, Detail: err.Error()}
		}
		out = next
	}
	return out
}

// sleep waits, and returns false if the context ends first.
func (a *agent) sleep(ctx context.Context, d time.Duration) bool {
	wake, stop := a.host.Clock.Timer(d)
	defer stop()
	select {
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// finish writes an outcome, gives the claim to its cooldown, and remembers.
func (a *agent) finish(in Intent, out Outcome, at time.Time, intended bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.actCtx), concludeDeadline)
	defer cancel()
	if intended {
		if err := a.host.Journal.Conclude(ctx, Conclusion{in.Identity, out, at}); err != nil {
			// The intent stays open; it is settled against the world at the next firing.
			a.log.Error("outcome not written", "target", in.Target, "verb", in.Primitive, "outcome", out.Status, "error", err)
			a.mu.Lock()
			a.unconcluded = append(a.unconcluded, Conclusion{in.Identity, out, at})
			a.mu.Unlock()
		}
	}
	a.mu.Lock()
	a.memoryOf(in.Target).ended(in, out.Status, at)
	a.mu.Unlock()
	until := at
	if out.Status == Done || out.Status == Failed {
		key := in.Primitive
		if in.Direction != "" {
			key = string(in.Direction)
		}
		until = at.Add(a.spec.Guards.Cooldown[key])
	}
	a.host.claims.release(in.Target, in.Claim, in.Identity, until, a.host.Clock.Now())
	a.host.Observer.Acted(Act{Intent: in, Outcome: out, EndedAt: at})
}

func callPlan(ctx context.Context, act Actuator, p Proposal) (c Change, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return act.Plan(ctx, p)
}

func callApply(ctx context.Context, act Actuator, c Change) (out Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return act.Apply(ctx, c)
}
