package agentcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Overlap is two agents that may write one field of one target.
type Overlap struct {
	// Mistake names both agents and the fields, at the targets of the later one.
	Mistake mistake.Mistake
	// Decided reports whether their priorities differ, so that one of them wins.
	Decided bool
}

// mostOverlaps bounds the overlaps that are listed for one agent.
const mostOverlaps = 5

// Overlaps lists the agents in mode enforce whose targets can't be told apart, and whose verbs
// write a common field. Fields that depend on a verb's parameters are not compared, and
// neither are static targets with selected ones.
func Overlaps(agents []*manifest.Agent) []Overlap {
	var out []Overlap
	for i, b := range agents {
		found := 0
		for _, a := range agents[:i] {
			fields := commonFields(a, b)
			if len(fields) == 0 || !mayShareTargets(a, b) {
				continue
			}
			if found++; found <= mostOverlaps {
				out = append(out, overlapOf(a, b, fields))
			}
		}
		if found > mostOverlaps {
			m := b.MistakeAt("spec.targets", fmt.Sprintf("%d more agents write the same fields as %s", found-mostOverlaps, b.Info()), "give each target and field one agent, or set spec.priority")
			out = append(out, Overlap{Mistake: m})
		}
	}
	return out
}

func overlapOf(a, b *manifest.Agent, fields []string) Overlap {
	at := a.MistakeAt("spec.targets", "", "")
	where := at.File
	if at.Line > 0 {
		where = fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	message := fmt.Sprintf("%s and %s (%s) may have the same targets, and both write %s", b.Info(), a.Info(), where, strings.Join(fields, " and "))
	fix := fmt.Sprintf("who writes first holds the field for spec.guards.hold; give one a higher spec.priority (both have %d), or targets of its own", a.Spec.Priority)
	decided := a.Spec.Priority != b.Spec.Priority
	if decided {
		wins, loses := a, b
		if b.Spec.Priority > a.Spec.Priority {
			wins, loses = b, a
		}
		fix = fmt.Sprintf("%s wins, by spec.priority %d against %d", wins.Info(), wins.Spec.Priority, loses.Spec.Priority)
	}
	return Overlap{Mistake: b.MistakeAt("spec.targets", message, fix), Decided: decided}
}

// commonFields returns the fields that verbs of both agents write, whatever their parameters.
func commonFields(a, b *manifest.Agent) []string {
	other := fieldsOf(b)
	return slices.DeleteFunc(fieldsOf(a), func(f string) bool { return !slices.Contains(other, f) })
}

func fieldsOf(a *manifest.Agent) []string {
	if a.Spec.Mode != engine.Enforce {
		return nil
	}
	var out []string
	for _, name := range a.Spec.Primitives {
		kind := actuators.Verbs[name]
		verb := engine.Verb{Claim: kind.Claim, Transient: kind.Transient}
		if field := verb.Field(); field != "" {
			out = append(out, field)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mayShareTargets reports whether two agents may have a target in common: it is false only
// where that can be proved.
func mayShareTargets(a, b *manifest.Agent) bool {
	x, selectsA := a.Selector()
	y, selectsB := b.Selector()
	if selectsA != selectsB {
		return false
	}
	if !selectsA {
		return shareStatic(a, b)
	}
	return x.Kind == y.Kind && groupOf(x.APIVersion) == groupOf(y.APIVersion) &&
		(x.Namespace == "" || y.Namespace == "" || x.Namespace == y.Namespace) && !disjoint(x.MatchLabels, y.MatchLabels)
}

// groupOf is the API group of a version: two versions of a group are the same objects.
func groupOf(apiVersion string) string {
	group, _, has := strings.Cut(apiVersion, "/")
	if !has {
		return ""
	}
	return group
}

// disjoint reports whether no object has both sets of labels.
func disjoint(x, y map[string]string) bool {
	for key, value := range x {
		if other, has := y[key]; has && other != value {
			return true
		}
	}
	return false
}

func shareStatic(a, b *manifest.Agent) bool {
	names := map[string]bool{}
	for _, id := range staticIDs(a) {
		names[id] = true
	}
	return slices.ContainsFunc(staticIDs(b), func(id string) bool { return names[id] })
}

func staticIDs(a *manifest.Agent) []string {
	out := make([]string, len(a.Spec.Targets.Static))
	for i, t := range a.Spec.Targets.Static {
		namespace := t.Namespace
		if namespace == "" {
			namespace = a.Metadata.Namespace
		}
		out[i] = namespace + "/" + t.Name
	}
	return out
}
