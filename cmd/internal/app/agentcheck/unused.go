package agentcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// unused lists the values of an agent's manifest that have no effect with these policies.
func unused(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	out := mistake.Mistakes(a.Ineffective())
	if slices.ContainsFunc(a.Spec.Strategies, func(s string) bool { return !rev.Has(s) }) {
		return out
	}
	return slices.Concat(out, unreadParams(a, rev), unreadSensors(a, rev), unsetMarks(a, rev), unusedVerbs(a, rev))
}

// unreadSensors lists the sensors that no strategy of the agent and no guard reads.
func unreadSensors(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	if len(a.Spec.Strategies) == 0 {
		return nil // the agent only measures
	}
	reads, all := rev.Signals(a.Spec.Strategies, boundBy(a))
	if all {
		return nil
	}
	has := func(name string) bool {
		return slices.ContainsFunc(a.Spec.Sensors, func(s manifest.Sensor) bool { return s.Name == name })
	}
	for name := range rev.Reads(a.Spec.Strategies).Signals {
		if !has(name) {
			return nil // a misspelt name, which Verify refuses
		}
	}
	var out mistake.Mistakes
	for i, s := range a.Spec.Sensors {
		if !slices.Contains(reads, s.Name) {
			out = append(out, a.MistakeAt(fmt.Sprintf("spec.sensors[%d].name", i), fmt.Sprintf("no strategy of this agent and no guard reads %s", s.Name), "correct its name, or leave it out"))
		}
	}
	return out
}

// unsetMarks lists the sensors that count since a mark which no strategy of the agent sets.
func unsetMarks(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	var marks []string
	for _, s := range a.Spec.Strategies {
		if !rev.IsLiteral(s, "marks") {
			return nil
		}
		for _, m := range rev.Marks(s) {
			marks = append(marks, m.Mark)
		}
	}
	slices.Sort(marks)
	var out mistake.Mistakes
	for i, s := range a.Spec.Sensors {
		if s.Since != "" && !slices.Contains(marks, s.Since) {
			fix := "leave it out, or set the mark in a proposal"
			if len(marks) > 0 {
				fix += "; those set are " + strings.Join(slices.Compact(marks), ", ")
			}
			out = append(out, a.MistakeAt(fmt.Sprintf("spec.sensors[%d].since", i), fmt.Sprintf("no strategy of this agent sets the mark %s, so that the value is all of the total", s.Since), fix))
		}
	}
	return out
}

// unusedVerbs lists the primitives of an agent that none of its strategies proposes.
func unusedVerbs(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	var used []string
	for _, s := range a.Spec.Strategies {
		if !rev.IsLiteral(s, "primitive") {
			return nil
		}
		for _, m := range rev.Primitives(s) {
			used = append(used, m.Primitive)
		}
	}
	var out mistake.Mistakes
	for i, verb := range a.Spec.Primitives {
		if !slices.Contains(used, verb) {
			out = append(out, a.MistakeAt(fmt.Sprintf("spec.primitives[%d]", i), fmt.Sprintf("no strategy of this agent proposes %s", verb), "leave it out, or name the strategy in spec.strategies"))
		}
	}
	return out
}
