package manifest

import (
	"math"
	"slices"
	"time"
)

// priorityEffect rejects a priority of an agent that takes no claim.
func (v *validator) priorityEffect(p *fieldPath) {
	if !v.uses(FieldVerbs...) && !v.uses(RunVerbs...) {
		v.noEffect(p, "decides between agents that write one field, and no verb in spec.primitives writes one", "add the verb that is meant there, or leave it out")
	}
}

// holdEffect rejects a hold where nothing is held, or where the cooldowns are no shorter.
func (v *validator) holdEffect(p *fieldPath) {
	g := v.agent.Spec.Guards
	if g.Hold == nil || !v.written(p) {
		return
	}
	if !v.uses(FieldVerbs...) {
		v.reject(p, "is for what acts write, and no verb in spec.primitives writes a field", "add the verb that is meant there, or leave it out")
		return
	}
	if g.Hold.Duration > 0 && v.readable(p.parent.field("cooldown")) && v.shortestCooldown() >= g.Hold.Duration {
		v.reject(p, g.Hold.String()+" is no longer than every cooldown, for which the field is held anyway", "write more, or 0s for the cooldown alone")
	}
}

// shortestCooldown returns the shortest cooldown of the agent's verbs that write a field.
func (v *validator) shortestCooldown() time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for _, verb := range v.agent.Spec.Primitives {
		keys := []string{verb}
		if slices.Contains(DirectedVerbs, verb) {
			keys = []string{"up", "down"}
		}
		if !slices.Contains(FieldVerbs, verb) {
			continue
		}
		for _, key := range keys {
			shortest = min(shortest, v.agent.Spec.Guards.Cooldown[key].Duration)
		}
	}
	return shortest
}
