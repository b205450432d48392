package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
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

// bound passes a candidate through the bounds in Go, which no policy can relax.
// They come last, so that nothing after them can undo what they clamped. The
// agent's mutex is held.
func (a *agent) bound(c *candidate, now time.Time) {
	for _, check := range []func(*candidate, time.Time){
		a.permit, a.approval, a.urls, a.replicas, a.cooldown, a.budget, a.blastRadius,
	} {
		if check(c, now); !c.live() {
			return
		}
	}
}

// permit is the one place where a mode stops an act. (A dry run is stopped in
// act.go, at the only call of Apply.)
func (a *agent) permit(c *candidate, _ time.Time) {
	if a.spec.Mode == Paused {
		c.refuse("mode", "the agent is paused")
	}
}

func (a *agent) approval(c *candidate, _ time.Time) {
	if slices.Contains(a.spec.Guards.Approval, c.Primitive) {
		c.refuse("guards.approval", "%s waits for a person, and this release has no way to ask one", c.Primitive)
	}
}

func (a *agent) urls(c *candidate, _ time.Time) {
	raw, has := c.With["url"].(string)
	if has && !urlAllowed(raw, a.spec.Guards.URLs) {
		c.refuse("guards.urls", "%s is not among the addresses that this agent may call", hostOf(raw))
	}
}

// replicas clamps what scale asks for to the step and then to the range, and
// refuses what is left with nothing to change.
func (a *agent) replicas(c *candidate, _ time.Time) {
	g := a.spec.Guards.Replicas
	asked, isNumber := c.With["replicas"].(float64)
	if g == nil || c.claim != "replicas" || !isNumber {
		return
	}
	want, bounds := asked, []string{}
	bound := func(limit float64, text string) {
		want = limit
		bounds = append(bounds, text)
	}
	now := -1.0
	if c.Target.Replicas != nil {
		now = float64(c.Target.Replicas.Desired)
		if g.StepUp > 0 && want > now+float64(g.StepUp) {
			bound(now+float64(g.StepUp), fmt.Sprintf("stepUp %d", g.StepUp))
		}
		if g.StepDown > 0 && want < now-float64(g.StepDown) {
			bound(now-float64(g.StepDown), fmt.Sprintf("stepDown %d", g.StepDown))
		}
	}
	if g.Max > 0 && want > float64(g.Max) {
		bound(float64(g.Max), fmt.Sprintf("max %d", g.Max))
	}
	if want < float64(g.Min) {
		bound(float64(g.Min), fmt.Sprintf("min %d", g.Min))
	}
	if len(bounds) == 0 {
		return
	}
	if want == now {
		c.refuse("guards.replicas", "asked for %g replicas, has %g: %s", asked, now, strings.Join(bounds, ", "))
		return
	}
	c.decision.Proposed, c.decision.By = c.With, "guards.replicas"
	c.decision.Detail = fmt.Sprintf("clamped from %g to %g: %s", asked, want, strings.Join(bounds, ", "))
	with := make(map[string]any, len(c.With))
	for k, v := range c.With {
		with[k] = v
	}
	with["replicas"] = want
	c.With = with
	c.decision.With = with
}

func (a *agent) cooldown(c *candidate, now time.Time) {
	m := a.memoryOf(c.Target.ID())
	key, directions := c.Primitive, []Direction(nil)
	if c.verb.Direction != nil {
		if d := c.verb.Direction(c.Proposal); d == Up {
			key, directions = string(Up), []Direction{Up}
		} else if d == Down {
			key, directions = string(Down), []Direction{Up, Down}
		}
	}
	wait, bounded := a.spec.Guards.Cooldown[key]
	if !bounded || wait == 0 {
		return
	}
	if last, acted := m.lastOf(c.Primitive, directions...); acted && now.Before(last.Add(wait)) {
		c.refuse("guards.cooldown", "%s cools down for %s, until %s", key, wait.Round(time.Millisecond), last.Add(wait).UTC().Format(time.RFC3339))
	}
}

func (a *agent) budget(c *candidate, now time.Time) {
	g := a.spec.Guards.Budget
	if g == nil {
		return
	}
	if n := a.memoryOf(c.Target.ID()).since(now.Add(-g.Per)); n >= g.Actions {
		c.refuse("guards.budget", "%d acts in the last %s, and %d are allowed", n, g.Per, g.Actions)
	}
}

func (a *agent) blastRadius(c *candidate, now time.Time) {
	g := a.spec.Guards.Fleet
	if g == nil {
		return
	}
	limit := g.Targets
	if g.Percent > 0 {
		limit = max(1, int(math.Floor(float64(a.fleetSize)*g.Percent/100)))
	}
	if a.touched == nil { // once a firing
		a.touched = map[TargetID]bool{}
		for id, m := range a.memories {
			if m.since(now.Add(-g.Per)) > 0 {
				a.touched[id] = true
			}
		}
	}
	// A target touched already does not widen the radius.
	if !a.touched[c.Target.ID()] && len(a.touched) >= limit {
		c.refuse("guards.fleet", "%d targets acted upon in the last %s, and %d of %d are allowed", len(a.touched), g.Per, limit, a.fleetSize)
	}
}
