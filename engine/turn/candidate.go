package turn

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
)

// The names of checks in Decision.By, beside those of engine.
const (
	byArbiter  = "arbiter"
	byBackoff  = "backoff"
	byClaims   = "claims"
	byMode     = "mode"
	byPlan     = "plan"
	byShape    = engine.ByShape
	bySignals  = "signals"
	byApproval = "guards.approval"
	byBudget   = "guards.budget"
	byCooldown = "guards.cooldown"
	byFleet    = "guards.fleet"
	byReplicas = "guards.replicas"
	byURLs     = "guards.urls"
)

// candidate is a proposal on its way through the checks, with its decision.
type candidate struct {
	engine.Proposal
	on        *target
	verb      engine.Verb
	claim     string
	decision  engine.Decision
	change    engine.Change
	unplanned string // why nothing here can plan it; only in a preview
	forEvent  bool   // its strategy reads the trigger, which is an event: the event asks for it

	prior    *claim.Hold      // the hold that its claim replaced, for Withdraw
	approval *engine.Approval // that the act uses up; nil where it needs none
	replaces string           // the act in the outbox that it replaces
	passes   time.Time        // when the guard that refused it lets it pass, where that is known
}

// refuse ends the way of a candidate. The decision on an approved one keeps its approval.
func (c *candidate) refuse(by, format string, args ...any) {
	c.decision.Verdict, c.decision.By, c.decision.Detail = engine.Refused, by, engine.Clip(fmt.Sprintf(format, args...))
	if c.decision.Approval != nil {
		c.decision.Detail += fmt.Sprintf(" (%s)", c.decision.Approval)
	}
}

// refuseHeld refuses a candidate whose claim is held.
func (ad *admission) refuseHeld(c *candidate, h *claim.Holder) {
	c.passes = h.Until
	c.refuse(byClaims, "%s", ad.agent.Claims.Explain(h, ad.key(c)))
	c.decision.HeldBy = &h.Claim
}

// reportUnplanned ends the way of a candidate that every guard admits, and that nothing here can
// plan.
func (c *candidate) reportUnplanned() {
	if c.unplanned == "" {
		return
	}
	c.decision.Verdict, c.decision.Identity = engine.NotPlanned, ""
	if c.decision.Detail != "" {
		c.unplanned += " (" + c.decision.Detail + ")"
	}
	c.decision.Detail = engine.Clip(c.unplanned)
}

// direction returns the direction of the change, "" where its verb has none.
func (c *candidate) direction() engine.Direction {
	if c.verb.Direction == nil {
		return ""
	}
	return c.verb.Direction(c.Proposal)
}

func (c *candidate) live() bool { return c.decision.Verdict == engine.Admitted }

func live(candidates []*candidate) []*candidate {
	var out []*candidate
	for _, c := range candidates {
		if c.live() {
			out = append(out, c)
		}
	}
	return out
}

// irreproducible reports whether no strategy proposes the act again if it is lost.
func (c *candidate) irreproducible() bool { return c.approval != nil || c.on.doc.Trigger.Event != nil }

// mostBecause bounds the signals of one proposal that a decision names.
const mostBecause = 64

func decisionOf(p engine.Proposal, rules []string) engine.Decision {
	because := make([]string, min(len(p.Because), mostBecause))
	for i := range because {
		because[i] = p.Because[i].String()
	}
	return engine.Decision{
		Target: p.Target.ID(), Strategy: p.Strategy, Primitive: p.Primitive, With: p.With, Priority: p.Priority,
		Reason: p.Reason, Because: because, Rules: rules, Verdict: engine.Admitted,
	}
}

// validate refuses a proposal that can't be decided on: a verb that the agent may not use
// or that nothing here offers, parameters of the wrong shape, and evidence that is not in the
// state that the proposal requires.
func (a *Agent) validate(c *candidate, doc *engine.Document) {
	if !slices.Contains(a.Spec.Primitives, c.Primitive) {
		c.refuse(engine.ByPrimitives, "%s is not among the agent's primitives (%s)", c.Primitive, strings.Join(a.Spec.Primitives, ", "))
		return
	}
	verb, offered := a.Verbs[c.Primitive]
	if !offered {
		c.refuse(engine.ByPrimitives, "nothing here offers %s (scale, traffic and restart want --workloads)", c.Primitive)
		return
	}
	c.verb = verb
	if verb.Check != nil {
		if mistakes := verb.Check(c.With); len(mistakes) > 0 {
			c.refuse(byShape, "%s", strings.Join(mistakes, "; "))
			return
		}
	}
	var mismatches []string
	for _, e := range c.Because {
		i := slices.Index(doc.Names, e.Signal)
		switch {
		case i < 0:
			mismatches = append(mismatches, e.Signal+" is no signal of this agent")
		case doc.Signals[i].State != e.State:
			why := e.Signal + " is " + string(doc.Signals[i].State) + ", not " + string(e.State)
			if p := doc.Signals[i].Problem; p != "" {
				why += " (" + p + ")"
			}
			mismatches = append(mismatches, why)
		}
	}
	if len(mismatches) > 0 {
		c.refuse(bySignals, "%s", strings.Join(mismatches, "; "))
		return
	}
	if verb.Claim != nil {
		c.claim = verb.Claim(c.With)
	}
}
