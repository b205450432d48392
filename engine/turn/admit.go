package turn

import (
	"cmp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// admission passes candidates through the guards that count. The memory's lock is held
// throughout.
type admission struct {
	*Evaluation
	now     time.Time
	actedOn map[engine.TargetID]bool // targets that count for the blast radius; nil until needed
	// approvals are the changes of approvals that this turn makes.
	approvals []engine.ApprovalChange
}

// Admit decides on the planned proposals, in the fleet's order. plans are in the order of
// Plans. Each admitted act counts at once, in the agent's memory and claims, until Withdraw.
func (e *Evaluation) Admit(plans []Plan) *Result {
	e.setPlans(plans)
	ad := &admission{Evaluation: e, now: e.in.Now}
	intents := ad.run()
	for _, c := range live(e.candidates) {
		c.reportUnplanned()
	}
	return e.result(ad, intents)
}

func (ad *admission) run() []engine.Intent {
	ad.agent.Memory.Lock()
	defer ad.agent.Memory.Unlock()
	admitted := map[string]bool{}
	var intents []engine.Intent
	for _, c := range byPriority(live(ad.candidates)) {
		if c.on.doc.Trigger.Did(c.Identity) {
			c.decision.Verdict, c.decision.Detail = engine.Unchanged, "done for this event before: "+c.decision.Detail
			continue
		}
		if admitted[c.Identity] {
			c.refuse(byArbiter, "the same act is admitted already")
			continue
		}
		for _, check := range []func(*candidate){ad.repeat, ad.backOff, ad.cooldown, ad.budget, ad.blastRadius, ad.free, ad.requireApproval, ad.take} {
			if c.live() {
				check(c)
			}
		}
		if !c.live() {
			continue
		}
		admitted[c.Identity] = true
		intents = append(intents, ad.admit(c))
	}
	return intents
}

// admit counts an act that passed every guard, and returns its intent.
func (ad *admission) admit(c *candidate) engine.Intent {
	spec := &ad.agent.Spec
	ad.useApproval(c)
	c.change.Terms = ad.terms(c)
	c.decision.Identity, c.decision.DryRun = c.Identity, spec.Mode == engine.DryRun
	in := engine.Intent{
		Change: c.change, Firing: ad.in.ID, Claim: c.claim, Direction: c.direction(), At: ad.now, DryRun: spec.Mode == engine.DryRun, Irreproducible: c.irreproducible(),
	}
	if c.Target.Replicas != nil {
		ready := c.Target.Replicas.Ready
		in.Ready = &ready
	}
	ad.memory(c).Add(&in, spec.Guards.Horizon())
	if ad.actedOn != nil && engine.GuardCovers(spec.Guards.Fleet.Primitives, c.Primitive) {
		ad.actedOn[c.Target.ID()] = true
	}
	return in
}

func (ad *admission) memory(c *candidate) *memory.Target { return ad.agent.Memory.Of(c.Target.ID()) }

func (e *Evaluation) key(c *candidate) claim.Key {
	return claim.Key{Target: c.Target.ID(), Claim: c.claim, Agent: e.agent.name, Strategy: c.Strategy, Verb: c.Primitive, Identity: c.Identity}
}

// terms returns how the outbox delivers an act; nil for an act that it does not deliver.
func (ad *admission) terms(c *candidate) *engine.Terms {
	if !c.verb.Delivered {
		return nil
	}
	irreproducible := c.irreproducible()
	return &engine.Terms{Call: engine.Call{For: ad.agent.deliveryTimeout(c.on.doc.Trigger, irreproducible, ad.now), DeadLetter: irreproducible}, Replaces: c.replaces}
}

// deliveryTimeout returns how long a request is tried: as the manifest says; a day where no
// strategy proposes it again; otherwise until the trigger fires next, but not less than
// DefaultActDeadline, so that a restart in between does not lose it.
func (a *Agent) deliveryTimeout(t *engine.TriggerInfo, irreproducible bool, now time.Time) time.Duration {
	if a.Spec.RetryFor > 0 {
		return a.Spec.RetryFor
	}
	if i := slices.IndexFunc(a.Spec.Triggers, func(own engine.Trigger) bool { return own.Name == t.Name }); i >= 0 && !irreproducible {
		switch own := &a.Spec.Triggers[i]; {
		case own.Every > 0:
			return max(own.Every, engine.DefaultActDeadline)
		case own.Cron != nil:
			if next := own.Cron.Next(now); next.After(now) {
				return max(next.Sub(now), engine.DefaultActDeadline)
			}
		}
	}
	return engine.DeliveryTimeout
}

// byPriority sorts the proposals for a target by priority, as the arbiter does: the guards
// admit the highest first.
func byPriority(candidates []*candidate) []*candidate {
	slices.SortStableFunc(candidates, func(x, y *candidate) int {
		if order := compareIDs(x.Target.ID(), y.Target.ID()); order != 0 {
			return order
		}
		return cmp.Compare(y.Priority, x.Priority)
	})
	return candidates
}
