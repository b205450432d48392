package turn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// byPolicy is the beginning of Decision.By where a guard in Rego refused or clamped.
const byPolicy = "policy:"

// review runs the guards of the policies on a candidate: they clamp its parameters, and deny
// what that leaves.
func review(ctx context.Context, rev engine.Revision, c *candidate, doc *engine.Document) {
	r := rev.Review(ctx, doc, c.Proposal)
	if len(r.Denials) > 0 {
		reasons := make([]string, len(r.Denials))
		for i, d := range r.Denials {
			reasons[i] = d.Guard + ": " + d.Reason
		}
		text := "denied by " + strings.Join(reasons, "; ")
		if len(r.Clamps) > 0 {
			text += " (" + clampText(r.Clamps) + ")"
		}
		c.decision.Guard = r.Denials[0].Guard
		c.refuse(byPolicy+c.decision.Guard, "%s", text)
		return
	}
	if len(r.Clamps) == 0 {
		return
	}
	by := byPolicy + r.Clamps[0].Guard
	if now, of, same := c.atBound(r.Clamps); same {
		c.refuse(by, "asked for %g replicas, has %g: %s by %s (%s)", of.Proposed, now, of.Bound, of.Guard, of.Reason)
		return
	}
	if c.verb.Check != nil {
		if mistakes := c.verb.Check(r.With); len(mistakes) > 0 {
			c.decision.Guard = r.Clamps[0].Guard
			c.refuse(by, "%s, and then: %s", clampText(r.Clamps), strings.Join(mistakes, "; "))
			return
		}
	}
	c.clamp(by, clampText(r.Clamps), r.With)
}

// atBound reports whether the replicas are clamped to what the target has already, as
// Agent.replicas does, and returns that number.
func (c *candidate) atBound(clamps []engine.Clamp) (now float64, of engine.Clamp, same bool) {
	if c.claim != "replicas" || c.Target.Replicas == nil || len(clamps) != 1 || !slices.Equal(clamps[0].Path, []string{"replicas"}) {
		return 0, engine.Clamp{}, false
	}
	now = float64(c.Target.Replicas.Desired)
	return now, clamps[0], clamps[0].Clamped == now
}

// clampText explains the clamps to a person.
func clampText(clamps []engine.Clamp) string {
	texts := make([]string, len(clamps))
	for i, c := range clamps {
		name := ""
		if path := strings.Join(c.Path, "."); path != "replicas" {
			name = path + " "
		}
		texts[i] = fmt.Sprintf("%sclamped from %g to %g: %s by %s (%s)", name, c.Proposed, c.Clamped, c.Bound, c.Guard, c.Reason)
	}
	return strings.Join(texts, ", ")
}
