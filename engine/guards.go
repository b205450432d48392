package engine

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// deny asks the guards of the policies.
func deny(ctx context.Context, rev Revision, c *candidate, doc *Document) {
	denials := rev.Deny(ctx, doc, c.Proposal)
	if len(denials) == 0 {
		return
	}
	reasons := make([]string, len(denials))
	for i, d := range denials {
		reasons[i] = d.Guard + ": " + d.Reason
	}
	c.refuse("policy:"+denials[0].Guard, "denied by %s", strings.Join(reasons, "; "))
}

// permit is the one place where a mode stops an act. (A dry run is stopped in
// act.go, at the only call of Apply.)
func (a *agent) permit(c *candidate) {
	if a.spec.Mode == Paused {
		c.refuse("mode", "the agent is paused")
	}
}

func (a *agent) urls(c *candidate) {
	raw, has := c.With["url"].(string)
	if !has || URLAllowed(raw, a.spec.Guards.URLs) {
		return
	}
	if err := URLProblem(raw); err != nil {
		c.refuse("guards.urls", "the address can't be bounded by spec.guards.urls: %v", err)
	} else {
		c.refuse("guards.urls", "%s is not among the addresses that this agent may call; add it to spec.guards.urls", hostOf(raw))
	}
}

// replicas clamps what scale asks for to the range and then to the step, and
// refuses what is left with nothing to change. A wish for more never becomes fewer,
// nor the other way round: one who is outside the range moves towards it only when
// a strategy asks for that direction, and by the step.
func (a *agent) replicas(c *candidate) {
	g := a.spec.Guards.Replicas
	asked, isNumber := Float(c.With["replicas"])
	switch {
	case g == nil || c.claim != "replicas":
		return
	case !isNumber:
		a.replicaRange(c, g)
		return
	}
	want, bounds := asked, []string{}
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
		if len(bounds) > 0 && (want-now)*(asked-now) <= 0 { // nothing is left, or it would go the other way
			c.refuse("guards.replicas", "asked for %g replicas, has %g: %s", asked, now, strings.Join(bounds, ", "))
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
	c.clamp(fmt.Sprintf("clamped from %g to %g: %s", asked, want, strings.Join(bounds, ", ")), map[string]float64{"replicas": want})
}

// replicaRange clamps the bounds that autoscaler asks for: an autoscaler may go no
// further than the agent itself.
func (a *agent) replicaRange(c *candidate, g *ReplicaGuard) {
	var said []string
	clamped := map[string]float64{}
	for _, key := range []string{"min", "max"} {
		asked, isNumber := Float(c.With[key])
		if !isNumber {
			continue
		}
		want := max(asked, float64(g.Min))
		if g.Max > 0 {
			want = min(want, float64(g.Max))
		}
		if want != asked {
			clamped[key] = want
			said = append(said, fmt.Sprintf("%s clamped from %g to %g", key, asked, want))
		}
	}
	if len(said) > 0 {
		c.clamp(strings.Join(said, ", "), clamped)
	}
}

// clamp puts other numbers in place of what was asked for, and records both.
func (c *candidate) clamp(detail string, numbers map[string]float64) {
	c.decision.Proposed, c.decision.By, c.decision.Detail = c.With, "guards.replicas", detail
	with := make(map[string]any, len(c.With))
	for k, v := range c.With {
		with[k] = v
	}
	for k, v := range numbers {
		with[k] = v
	}
	c.With, c.decision.With = with, with
}

func (a *agent) cooldown(c *candidate, now time.Time) {
	m := a.memoryOf(c.Target.ID())
	key := cooldownKey(c.Primitive, c.direction())
	var directions []Direction
	switch c.direction() {
	case Up:
		directions = []Direction{Up}
	case Down:
		directions = []Direction{Up, Down}
	}
	wait, bounded := a.spec.Guards.Cooldown[key]
	if !bounded || wait == 0 {
		return
	}
	if last, acted := m.lastOf(c.Primitive, directions...); acted && now.Before(last.Add(wait)) {
		c.passes = last.Add(wait)
		c.refuse("guards.cooldown", "%s cools down for %s, until %s", key, wait.Round(time.Millisecond), last.Add(wait).UTC().Format(time.RFC3339))
	}
}

// repeat refuses what is still being done: a verb without a claim (a webhook to
// somebody who does not answer) would pile up, firing after firing. What is asked for by
// two events is two acts, however alike.
func (a *agent) repeat(c *candidate, _ time.Time) {
	if c.replaces = a.replaceable(c); c.replaces != "" {
		return
	}
	if c.claim == "" && !c.slot.doc.Trigger.ofEvent() && a.memoryOf(c.Target.ID()).underWay(c.Strategy, c.Primitive, c.With) {
		c.refuse("claims", "the same %s is still under way", c.Primitive)
	}
}

func (a *agent) budget(c *candidate, now time.Time) {
	g := a.spec.Guards.Budget
	if g == nil || !among(g.Primitives, c.Primitive) {
		return
	}
	m := a.memoryOf(c.Target.ID())
	if n := m.since(now.Add(-g.Per), g.Primitives); n >= g.Actions {
		c.passes = m.oldest(now.Add(-g.Per), g.Primitives).Add(g.Per)
		c.refuse("guards.budget", "%d acts%s in the last %s, and %d are allowed", n, ofVerbs(g.Primitives), g.Per, g.Actions)
	}
}

func (a *agent) blastRadius(c *candidate, now time.Time) {
	g := a.spec.Guards.Fleet
	if g == nil || !among(g.Primitives, c.Primitive) {
		return
	}
	limit := g.Targets
	if g.Percent > 0 {
		limit = max(1, int(math.Floor(float64(a.fleetSize)*g.Percent/100)))
	}
	if a.touched == nil { // once a firing
		a.touched = map[TargetID]bool{}
		for id, m := range a.memories {
			if m.since(now.Add(-g.Per), g.Primitives) > 0 {
				a.touched[id] = true
			}
		}
	}
	// A target touched already does not widen the radius.
	if !a.touched[c.Target.ID()] && len(a.touched) >= limit {
		c.refuse("guards.fleet", "%d targets acted upon%s in the last %s, and %d of %d are allowed", len(a.touched), ofVerbs(g.Primitives), g.Per, limit, a.fleetSize)
	}
}

// ofVerbs says which verbs a guard counts, "" where it is all.
func ofVerbs(verbs []string) string {
	if verbs == nil {
		return ""
	}
	return " by " + strings.Join(verbs, ", ")
}
