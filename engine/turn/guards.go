package turn

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// bound applies the guards that count nothing: the mode, the addresses, and the replicas,
// which it clamps.
func (a *Agent) bound(c *candidate) {
	for _, check := range []func(*candidate){a.mode, a.urls, a.replicas} {
		if c.live() {
			check(c)
		}
	}
}

// Bound returns why the guards that count nothing refuse a proposal today; "" where they do
// not.
func (a *Agent) Bound(p engine.Proposal) string {
	c := &candidate{Proposal: p, decision: engine.Decision{Verdict: engine.Admitted}}
	a.bound(c)
	return c.decision.Detail
}

// mode is the only place where a mode refuses an act. (A dry run ends where acts are
// applied, in package loop.)
func (a *Agent) mode(c *candidate) {
	if a.Spec.Mode == engine.Paused {
		c.refuse(byMode, "the agent is paused")
	}
}

func (a *Agent) urls(c *candidate) {
	raw, has := c.With["url"].(string)
	if !has || urlguard.Allowed(raw, a.Spec.Guards.URLs) {
		return
	}
	if err := urlguard.Problem(raw); err != nil {
		c.refuse(byURLs, "the address can't be bounded by spec.guards.urls: %v", err)
	} else {
		c.refuse(byURLs, "%s is not among the addresses that this agent may call; add it to spec.guards.urls", urlguard.Host(raw))
	}
}

// replicas clamps the replicas of a proposal to the range and then to the step, and refuses
// a proposal that this leaves without a change. A proposal for more never becomes one for
// fewer, or the reverse: a target outside of the range moves towards it only where a
// strategy proposes that direction, and by the step.
func (a *Agent) replicas(c *candidate) {
	g := a.Spec.Guards.Replicas
	proposed, isNumber := jsonvalue.Float(c.With["replicas"])
	switch {
	case g == nil || c.claim != "replicas":
		return
	case !isNumber:
		a.replicaRange(c, g)
		return
	}
	want, bounds := proposed, []string{}
	bound := func(limit float64, text string) {
		want = limit
		bounds = append(bounds, text)
	}
	if g.Max > 0 && want > float64(g.Max) {
		bound(float64(g.Max), fmt.Sprintf("max %d", g.Max))
	}
	if want < float64(g.Min) {
		bound(float64(g.Min), fmt.Sprintf("min %d", g.Min))
	}
	if c.Target.Replicas != nil {
		now := float64(c.Target.Replicas.Desired)
		if len(bounds) > 0 && (want-now)*(proposed-now) <= 0 { // no change is left, or it has the other direction
			detail := fmt.Sprintf("asked for %g replicas, has %g: %s", proposed, now, strings.Join(bounds, ", "))
			if c.decision.Proposed != nil { // by a guard in Rego
				detail += " (" + c.decision.Detail + ")"
			}
			c.refuse(byReplicas, "%s", detail)
			return
		}
		if g.StepUp > 0 && want > now+float64(g.StepUp) {
			bound(now+float64(g.StepUp), fmt.Sprintf("stepUp %d", g.StepUp))
		}
		if g.StepDown > 0 && want < now-float64(g.StepDown) {
			bound(now-float64(g.StepDown), fmt.Sprintf("stepDown %d", g.StepDown))
		}
	}
	if len(bounds) == 0 {
		return
	}
	with := maps.Clone(c.With)
	with["replicas"] = want
	c.clamp(byReplicas, fmt.Sprintf("clamped from %g to %g: %s", proposed, want, strings.Join(bounds, ", ")), with)
}

// replicaRange clamps the bounds that `autoscaler` proposes: an autoscaler may go no further
// than the agent itself.
func (a *Agent) replicaRange(c *candidate, g *engine.ReplicaGuard) {
	var details []string
	with := maps.Clone(c.With)
	for _, key := range []string{"min", "max"} {
		proposed, isNumber := jsonvalue.Float(c.With[key])
		if !isNumber {
			continue
		}
		want := max(proposed, float64(g.Min))
		if g.Max > 0 {
			want = min(want, float64(g.Max))
		}
		if want != proposed {
			with[key] = want
			details = append(details, fmt.Sprintf("%s clamped from %g to %g", key, proposed, want))
		}
	}
	if len(details) > 0 {
		c.clamp(byReplicas, strings.Join(details, ", "), with)
	}
}

// clamp replaces the parameters. The proposed ones stay on record, and so do the reasons of
// all guards that clamp them.
func (c *candidate) clamp(by, detail string, with map[string]any) {
	if c.decision.Proposed == nil {
		c.decision.Proposed = c.With
	} else {
		detail = c.decision.Detail + "; " + detail
	}
	c.decision.By, c.decision.Detail = by, engine.Clip(detail)
	c.With, c.decision.With = with, with
}

// The guards below count. Each candidate that passes all of them counts at once.

// repeat refuses an act that is still in progress, of a verb without a claim: a webhook to a
// receiver that does not answer would accumulate, firing after firing. Two events that ask
// for equal acts get two.
func (ad *admission) repeat(c *candidate) {
	inProgress := ad.memory(c).Running(c.Strategy, c.Primitive, c.With)
	if ad.agent.Replaceable != nil && c.verb.Delivered && !c.irreproducible() {
		for _, identity := range inProgress {
			if ad.agent.Replaceable(identity) {
				c.replaces = identity
				return
			}
		}
	}
	if c.claim == "" && !c.on.doc.Trigger.HandlesEvent() && len(inProgress) > 0 {
		c.refuse(byClaims, "the same %s is still under way", c.Primitive)
	}
}

func (ad *admission) cooldown(c *candidate) {
	key, wait := ad.agent.Spec.Guards.CooldownOf(c.Primitive, c.direction())
	if wait == 0 {
		return
	}
	var directions []engine.Direction
	switch c.direction() {
	case engine.Up:
		directions = []engine.Direction{engine.Up}
	case engine.Down:
		directions = []engine.Direction{engine.Up, engine.Down}
	}
	if last, acted := ad.memory(c).Last(c.Primitive, directions...); acted && ad.now.Before(last.Add(wait)) {
		c.passes = last.Add(wait)
		c.refuse(byCooldown, "%s cools down for %s, until %s", key, wait.Round(time.Millisecond), last.Add(wait).UTC().Format(time.RFC3339))
	}
}

func (ad *admission) budget(c *candidate) {
	g := ad.agent.Spec.Guards.Budget
	if g == nil || !engine.GuardCovers(g.Primitives, c.Primitive) {
		return
	}
	m, since := ad.memory(c), ad.now.Add(-g.Per)
	if n := m.Count(since, g.Primitives); n >= g.Actions {
		c.passes = m.Oldest(since, g.Primitives).Add(g.Per)
		c.refuse(byBudget, "%d acts%s in the last %s, and %d are allowed", n, byVerbs(g.Primitives), g.Per, g.Actions)
	}
}

// blastRadius bounds how many targets are acted on. A further act on a target that counts
// already does not widen the radius.
func (ad *admission) blastRadius(c *candidate) {
	g := ad.agent.Spec.Guards.Fleet
	if g == nil || !engine.GuardCovers(g.Primitives, c.Primitive) {
		return
	}
	fleet := len(ad.targets)
	limit := g.Targets
	if g.Percent > 0 {
		limit = max(1, int(math.Floor(float64(fleet)*g.Percent/100)))
	}
	if ad.actedOn == nil {
		ad.actedOn = ad.agent.Memory.ActedOn(ad.now.Add(-g.Per), g.Primitives)
	}
	if !ad.actedOn[c.Target.ID()] && len(ad.actedOn) >= limit {
		c.refuse(byFleet, "%d targets acted upon%s in the last %s, and %d of %d are allowed", len(ad.actedOn), byVerbs(g.Primitives), g.Per, limit, fleet)
	}
}

// free refuses an act whose claim is held, before an approval is requested for it.
func (ad *admission) free(c *candidate) {
	if h := ad.agent.Claims.Free(ad.key(c), ad.now); h != nil {
		ad.refuseHeld(c, h)
	}
}

// take takes the claim, and records which other agent's act this one takes back.
func (ad *admission) take(c *candidate) {
	reverses := ad.agent.Claims.Reversal(ad.key(c), c.direction(), ad.now)
	prior, held := ad.agent.Claims.Take(ad.key(c), ad.now)
	if held != nil {
		ad.refuseHeld(c, held)
		return
	}
	c.prior = prior
	if reverses != nil {
		c.change.Reverses = reverses
		c.decision.Detail += " (" + reverses.Explain(ad.now) + ")"
	}
}

// byVerbs names the verbs that a guard counts, "" where it counts all.
func byVerbs(verbs []string) string {
	if verbs == nil {
		return ""
	}
	return " by " + strings.Join(verbs, ", ")
}
