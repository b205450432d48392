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

// FieldWriters is a claim on a target, and the agents that wrote it.
type FieldWriters struct {
	Target string         `json:"target"`
	Claim  string         `json:"claim"`
	Acts   map[string]int `json:"acts"` // by agent
	// Overlaps counts the acts that began before the previous one had ended.
	Overlaps int `json:"overlaps"`
}

// claimedAct is an act with the claim that it holds.
type claimedAct struct {
	journal.Row
	claim string
	end   time.Time
}

// claimedActs returns the acts with a claim, oldest first. An act that has not ended lasts
// until now.
func claimedActs(rows []journal.Row, now time.Time) []claimedAct {
	var out []claimedAct
	for _, r := range rows {
		claim := actuators.Verbs[r.Primitive].Claim
		if r.Verdict != engine.Admitted || r.DryRun || r.Outcome == nil || claim == nil {
			continue
		}
		a := claimedAct{Row: r, claim: claim(r.With), end: now}
		if r.EndedAt != nil {
			a.end = *r.EndedAt
		}
		out = append(out, a)
	}
	return out
}

// fieldWriters groups the acts by target and claim.
func fieldWriters(acts []claimedAct) []FieldWriters {
	type at struct {
		target engine.TargetID
		claim  string
	}
	by, free := map[at]*FieldWriters{}, map[at]time.Time{}
	for _, a := range acts {
		k := at{a.Target, a.claim}
		f := by[k]
		if f == nil {
			f = &FieldWriters{Target: a.Target.String(), Claim: a.claim, Acts: map[string]int{}}
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
	out := []FieldWriters{}
	for _, f := range by {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b FieldWriters) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Claim, b.Claim))
	})
	return out
}

// writers returns the agents, sorted.
func (f *FieldWriters) writers() []string { return slices.Sorted(maps.Keys(f.Acts)) }

// ConcurrentActs are two acts of different layers on one target, the second of which began
// during the first: they have different claims, and no guard delayed the second.
type ConcurrentActs struct {
	First  ConcurrentAct `json:"first"`
	Second ConcurrentAct `json:"second"`
}

// ConcurrentAct is one of two concurrent acts.
type ConcurrentAct struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	Decision  string  `json:"decision"`
	Primitive string  `json:"primitive"`
	Did       string  `json:"did"`
	Claim     string  `json:"claim"`
}

// concurrentActs finds the concurrent acts of different layers.
func concurrentActs(acts []claimedAct, layers map[string]string, began time.Time) []ConcurrentActs {
	half := func(a claimedAct) ConcurrentAct {
		return ConcurrentAct{seconds(a.At.Sub(began)), a.Agent, a.ID, a.Primitive, a.Diff, a.claim}
	}
	out := []ConcurrentActs{}
	for i, second := range acts {
		for _, first := range acts[:i] {
			if first.Target == second.Target && layers[first.Agent] != layers[second.Agent] && first.end.After(second.At) {
				out = append(out, ConcurrentActs{half(first), half(second)})
			}
		}
	}
	return out
}
