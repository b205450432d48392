package turn

import (
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// standing summarizes the candidates of all targets; nil in a turn that does not decide on
// all of them.
func (e *Evaluation) standing() *engine.Standing {
	if e.in.Recheck != nil || e.blocked {
		return nil
	}
	e.agent.Memory.Lock()
	defer e.agent.Memory.Unlock()
	out := &engine.Standing{}
	counted := map[*target][3]bool{}
	for _, c := range e.candidates {
		done := counted[c.on]
		add := func(i int, count *engine.TargetCount, why string) {
			if !done[i] {
				done[i] = true
				count.Add(c.Target.ID(), c.Primitive, engine.Clip(why))
			}
		}
		switch {
		case e.agent.staysRefused(&c.decision):
			add(0, &out.Refused, c.decision.Detail)
		case e.agent.waits(&c.decision):
			add(2, &out.Held, c.decision.Detail)
		}
		if f := e.agent.Memory.Of(c.Target.ID()).FailuresOf(c.Primitive, c.direction(), c.With); f.Count > 0 && proposed(&c.decision) {
			add(1, &out.Failed, failedText(c.Primitive, f))
		}
		counted[c.on] = done
	}
	return out
}

func failedText(verb string, f memory.Failures) string {
	text := fmt.Sprintf("%s failed %d times in a row", verb, f.Count)
	if f.Last != "" {
		text += "; the last: " + f.Last
	}
	return text
}

// staysRefused reports whether a decision stays as it is until a person changes something.
func (a *Agent) staysRefused(d *engine.Decision) bool {
	if d.Verdict != engine.Refused {
		return false
	}
	switch d.By {
	case byPlan, engine.ByPrimitives, engine.ByBounds, byShape, bySignals, byURLs, byReplicas:
		return true
	}
	return strings.HasPrefix(d.By, byPolicy)
}

// waits reports whether a decision can change by itself. A proposal that waits for an act of
// its own agent that is under way is in order, and does not count.
func (a *Agent) waits(d *engine.Decision) bool {
	if d.Verdict == engine.Waiting {
		return true
	}
	if d.Verdict != engine.Refused {
		return false
	}
	switch d.By {
	case byClaims:
		return d.HeldBy == nil || d.HeldBy.Agent != a.name || d.HeldBy.State != "running"
	case byCooldown, byBudget, byFleet, byApproval, byBackoff:
		return true
	}
	return false
}

// proposed reports whether a candidate is still wanted: it was neither beaten by another
// one, nor is its target as it should be.
func proposed(d *engine.Decision) bool {
	return d.Verdict != engine.Unchanged && d.By != byArbiter && d.By != byMode
}
