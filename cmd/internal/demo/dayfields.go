package demo

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// Field is one claim on one target, and the agents that wrote it.
type Field struct {
	Target string         `json:"target"`
	Claim  string         `json:"claim"`
	Acts   map[string]int `json:"acts"` // by agent
	// Overlaps is how often an act on it began before another on it had ended.
	Overlaps int `json:"overlaps"`
}

// act is an act of the journal, with the field that it writes.
type act struct {
	journal.Row
	claim string
	end   time.Time
}

// actsOf are the acts that write a field, the oldest first. What has not ended lasts until now.
func actsOf(rows []journal.Row, now time.Time) []act {
	var out []act
	for _, r := range rows {
		claim := actuators.Verbs[r.Primitive].Claim
		if r.Verdict != engine.Admitted || r.DryRun || r.Outcome == nil || claim == nil {
			continue
		}
		a := act{Row: r, claim: claim(r.With), end: now}
		if r.EndedAt != nil {
			a.end = *r.EndedAt
		}
		out = append(out, a)
	}
	return out
}

// fieldsOf says who wrote what.
func fieldsOf(acts []act) []Field {
	type at struct {
		target engine.TargetID
		claim  string
	}
	by, free := map[at]*Field{}, map[at]time.Time{}
	for _, a := range acts {
		k := at{a.Target, a.claim}
		f := by[k]
		if f == nil {
			f = &Field{Target: a.Target.String(), Claim: a.claim, Acts: map[string]int{}}
			by[k] = f
		}
		f.Acts[a.Agent]++
		if a.At.Before(free[k]) {
			f.Overlaps++
		}
		if a.end.After(free[k]) {
			free[k] = a.end
		}
	}
	out := []Field{}
	for _, f := range by {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Field) int { return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Claim, b.Claim)) })
	return out
}

// writers are the agents of a field, sorted.
func (f *Field) writers() []string { return slices.Sorted(maps.Keys(f.Acts)) }

// Pair is two acts of different layers on one target, of which the second began while the
// first was under way: their fields differ, and no guard had one wait.
type Pair struct {
	First  Half `json:"first"`
	Second Half `json:"second"`
}

// Half is one of them.
type Half struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	Decision  string  `json:"decision"`
	Primitive string  `json:"primitive"`
	Did       string  `json:"did"`
	Claim     string  `json:"claim"`
}

// sideBySide are the pairs.
func sideBySide(acts []act, layers map[string]string, began time.Time) []Pair {
	half := func(a act) Half {
		return Half{seconds(a.At.Sub(began)), a.Agent, a.ID, a.Primitive, a.Diff, a.claim}
	}
	out := []Pair{}
	for i, second := range acts {
		for _, first := range acts[:i] {
			if first.Target == second.Target && layers[first.Agent] != layers[second.Agent] && first.end.After(second.At) {
				out = append(out, Pair{half(first), half(second)})
			}
		}
	}
	return out
}
