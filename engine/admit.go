package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// The way of the candidates that no policy denied, in the fleet's order:
//
//	bound   what may be asked for at all: mode, addresses; replicas are clamped
//	plan    what would change; what is so already ends here, and counts for nothing
//	admit   back-off, cooldown, budget, blast radius, claim, approval: each one that passes counts at once
//
// planDeadline bounds one plan, planStage all plans of a firing.
const (
	planDeadline = 2 * time.Second
	planStage    = 5 * time.Second
)

func (a *agent) bound(candidates []*candidate) {
	for _, c := range candidates {
		for _, check := range []func(*candidate){a.permit, a.urls, a.replicas} {
			if c.live() {
				check(c)
			}
		}
	}
}

// plan names each act and asks its actuator what it would do, and drops what is so
// already. A dry run plans as a real one does.
func (a *agent) plan(ctx context.Context, candidates []*candidate, base string) {
	ctx, cancel := context.WithTimeout(ctx, planStage)
	defer cancel()
	live := alive(candidates)
	a.mu.Lock()
	for _, c := range live {
		c.Identity = Identity(c.Proposal, base) // by then nothing changes the parameters any more
		c.Written = a.memoryOf(c.Target.ID()).wrote[c.Primitive]
	}
	a.mu.Unlock()
	errs := make([]error, len(live))
	parallel(a.host.Concurrency, len(live), func(i int) {
		one, cancel := context.WithTimeout(ctx, planDeadline)
		defer cancel()
		if errs[i] = one.Err(); errs[i] == nil {
			live[i].change, errs[i] = callPlan(one, live[i].verb.Actuator, live[i].Proposal)
			live[i].change.Diff = Clip(live[i].change.Diff)
		}
	})
	for i, c := range live {
		switch {
		case errs[i] != nil:
			c.refuse("plan", "%s can't be planned: %v", c.Primitive, errs[i])
		case c.change.NoOp:
			c.decision.Verdict, c.decision.Detail = Unchanged, c.change.Diff
		case c.decision.Detail != "":
			c.decision.Detail = c.change.Diff + " (" + c.decision.Detail + ")"
		default:
			c.decision.Detail = c.change.Diff
		}
	}
}

// admit passes the candidates through the bounds that count, and counts each one
// that passes, so that the next sees it. It returns the intents of those admitted.
func (a *agent) admit(candidates []*candidate, firing string, now time.Time) []Intent {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touched = nil
	same := map[string]bool{}
	var intents []Intent
	for _, c := range inOrder(alive(candidates)) {
		if c.slot.doc.Trigger.did(c.Identity) {
			c.decision.Verdict, c.decision.Detail = Unchanged, "done for this event before: "+c.decision.Detail
			continue
		}
		if same[c.Identity] {
			c.refuse("arbiter", "the same act is admitted already")
			continue
		}
		for _, check := range []func(*candidate, time.Time){a.repeat, a.backOff, a.cooldown, a.budget, a.blastRadius, a.held, a.ask, a.claimIt} {
			if c.live() {
				check(c, now)
			}
		}
		if !c.live() {
			continue
		}
		same[c.Identity] = true
		a.use(c, now)
		c.change.Identity, c.change.Proposal, c.change.Terms = c.Identity, c.Proposal, a.terms(c, now)
		c.decision.Identity, c.decision.DryRun = c.Identity, a.spec.Mode == DryRun
		in := a.intent(c, firing, now)
		a.memoryOf(in.Target).counted(in, a.spec.Guards.Horizon())
		if a.touched != nil && among(a.spec.Guards.Fleet.Primitives, in.Primitive) {
			a.touched[in.Target] = true
		}
		intents = append(intents, in)
	}
	return intents
}

// held refuses what is being written already, here or elsewhere: nobody need be asked
// about it. A dry run respects the claims of others too.
func (a *agent) held(c *candidate, now time.Time) {
	for _, table := range []*claims{a.host.claims, a.claims()} {
		if holder, until, free := table.free(c.Target.ID(), c.claim, a.name, now); !free {
			c.refuse("claims", "%s", heldBy(c.claim, holder, until))
			return
		}
	}
	if there, held := a.host.heldElsewhere(c.Target.ID(), c.claim, now); held {
		c.refuse("claims", "%s", there.heldBy(c.claim))
	}
}

// claimIt takes the claim. A dry run takes none that others could see: it must not hold
// up an agent that is in earnest.
func (a *agent) claimIt(c *candidate, now time.Time) {
	target := c.Target.ID()
	want := Claim{Agent: a.name, Strategy: c.Strategy, Verb: c.Primitive}
	holder, until, prior, ok := a.claims().take(target, c.claim, want, c.Identity, now)
	if !ok {
		c.refuse("claims", "%s", heldBy(c.claim, holder, until))
		return
	}
	c.prior = prior
}

func heldBy(name string, holder Claim, until time.Time) string {
	held := holder.State
	if !until.IsZero() {
		held += " until " + until.UTC().Format(time.RFC3339)
	}
	if holder.Name != name {
		return fmt.Sprintf("%s has to wait: %s is held by %s of %s (%s)", name, holder.Name, holder.Verb, holder.Agent, held)
	}
	return fmt.Sprintf("%s is held by %s of %s (%s)", name, holder.Verb, holder.Agent, held)
}

// withdraw takes back every admission of a firing that could not be recorded.
func (a *agent) withdraw(candidates []*candidate, slots []*slot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range alive(candidates) {
		a.memoryOf(c.Target.ID()).uncounted(c.Identity)
		a.claims().restore(c.Target.ID(), c.claim, c.Identity, c.prior)
	}
	for _, s := range slots {
		s.reported, s.looked = "", ""
	}
}

// claims is the table that the agent's own acts are entered in.
func (a *agent) claims() *claims {
	if a.spec.Mode == DryRun {
		return a.dry
	}
	return a.host.claims
}

func (a *agent) intent(c *candidate, firing string, now time.Time) Intent {
	return Intent{
		Identity: c.Identity, Firing: firing, Agent: a.name, Target: c.Target.ID(), Strategy: c.Strategy,
		Primitive: c.Primitive, With: c.With, Claim: c.claim, Direction: c.direction(), At: now, DryRun: a.spec.Mode == DryRun, Change: c.change,
		Once: c.once(),
	}
}

// inOrder has the proposals for a target come by their priority, as the arbiter has them:
// what the bounds leave room for goes to the highest.
func inOrder(candidates []*candidate) []*candidate {
	slices.SortStableFunc(candidates, func(x, y *candidate) int {
		switch {
		case x.Target.ID() == y.Target.ID():
			return cmp.Compare(y.Priority, x.Priority)
		case x.Target.ID().Less(y.Target.ID()):
			return -1
		}
		return 1
	})
	return candidates
}

func alive(candidates []*candidate) []*candidate {
	var out []*candidate
	for _, c := range candidates {
		if c.live() {
			out = append(out, c)
		}
	}
	return out
}
