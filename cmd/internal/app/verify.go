package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Doubts are what is no reason to refuse, and yet surely not meant: a strategy that
// names a primitive which nothing offers, or which the agent may not use. Such a
// proposal is refused each time it is made. Or what has no effect: a mark that nothing
// counts from, a param or a sensor that nothing reads.
func Doubts(agents []*manifest.Agent, rev *policy.Revision) []string {
	verbs := Kinds().Verbs
	var out []string
	for _, a := range agents {
		for _, s := range a.Spec.Strategies {
			for _, m := range rev.Primitives(s) {
				switch {
				case verbs[m.Primitive] == nil:
					out = append(out, fmt.Sprintf("%s:%d: strategy %s proposes %q, and there is no such primitive; there are %s", m.File, m.Line, s, m.Primitive, strings.Join(slices.Sorted(maps.Keys(verbs)), ", ")))
				case !slices.Contains(a.Spec.Primitives, m.Primitive):
					out = append(out, a.Mistaken("spec.primitives", fmt.Sprintf("does not list %s, which strategy %s proposes (%s:%d)", m.Primitive, s, m.File, m.Line), "add it, or every such proposal is refused").Error())
				}
			}
			for _, m := range rev.Marks(s) {
				if !slices.ContainsFunc(a.Spec.Sensors, func(c manifest.Sensor) bool { return c.Since == m.Mark }) {
					out = append(out, a.Mistaken("spec.sensors", fmt.Sprintf("none counts since %s, a mark that strategy %s sets (%s:%d)", m.Mark, s, m.File, m.Line), "add since: "+m.Mark+" to the one that is meant, or correct the name").Error())
				}
			}
		}
		out = append(out, idle(a, rev)...)
	}
	return slices.Compact(append(out, neverEqual(agents, rev)...))
}

// Unfit are the reasons for which agents and policies don't go together.
type Unfit []string

// Error lists every reason, one a line.
func (u Unfit) Error() string { return strings.Join(u, "\n") }

// Verify holds agents against the policies that they would run on: each strategy
// must be there, and must read only what the agent's document has; and each guard
// only what any of the documents has, or what is misspelt would never deny; and
// params must have the types that rules take them to have. The
// error is of type Unfit and names everything.
func Verify(agents []*manifest.Agent, rev *policy.Revision) error {
	var unfit Unfit
	for _, a := range agents {
		unfit = append(unfit, unfitStrategies(a, rev)...)
	}
	if schema := manifest.GuardSchema(agents); schema != nil {
		for _, m := range rev.CheckGuards(schema) {
			unfit = append(unfit, m.Error()+", of all the agents' documents")
		}
	}
	if len(unfit) == 0 {
		return nil
	}
	return unfit
}

// unfitStrategies are the reasons for which one agent can't run its strategies.
func unfitStrategies(a *manifest.Agent, rev *policy.Revision) Unfit {
	var unfit Unfit
	present := []string{}
	for i, s := range a.Spec.Strategies {
		if !rev.Has(s) {
			unfit = append(unfit, a.Mistaken(fmt.Sprintf("spec.strategies[%d]", i), fmt.Sprintf("no strategy %q in the policies", s), "they have "+strings.Join(rev.Strategies(), ", ")).Error())
			continue
		}
		present = append(present, s)
	}
	for _, m := range rev.CheckAgainst(manifest.DocumentSchema(a), present) {
		unfit = append(unfit, fmt.Sprintf("%s, for agent %s of %s", m, a.Info(), a.File))
	}
	return append(unfit, mistypedParams(a, rev.Params(present))...)
}
