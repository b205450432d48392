package engine

import (
	"reflect"
	"slices"
)

// slot is one target's place in an agent: its document, changed in place from
// firing to firing, and what its last evaluation said.
type slot struct {
	doc  Document
	last []lastGood // by sensor
	// totals are what the sensors that count sampled, by sensor.
	totals []total

	// What the last evaluation rested on.
	evaluated bool
	revision  string
	memory    int
	seen      []Signal
	target    Target
	claims    []Claim
	trigger   TriggerInfo

	proposals []Proposal
	problems  []Problem
	rules     map[string][]string
	// reported is what became of the proposals when that was last written down.
	reported string
	// looked is that of a second look, which sees but the one proposal.
	looked string
}

// reads is what the strategies read, with signals as indices into the document's.
type reads struct {
	Reads
	signals []int
}

func resolve(r Reads, names []string) reads {
	out := reads{Reads: r}
	for i, n := range names {
		if r.AllSignals || slices.Contains(r.Signals, n) {
			out.signals = append(out.signals, i)
		}
	}
	return out
}

// unchanged tells whether an evaluation would see what the last one saw. The
// target and the claims are compared always where they are read; agent and
// parameters can't change within one agent's life.
func (s *slot) unchanged(revision string, r *reads, memoryVersion int) bool {
	// A strategy that failed may do better now: nobody can tell from the document.
	if !s.evaluated || s.revision != revision || r.Now || len(s.problems) > 0 {
		return false
	}
	for _, i := range r.signals {
		if !sameSignal(&s.doc.Signals[i], &s.seen[i]) {
			return false
		}
	}
	if r.Memory && s.memory != memoryVersion {
		return false
	}
	if r.Target && !sameTarget(&s.doc.Target, &s.target) {
		return false
	}
	if r.Claims && !slices.Equal(s.doc.Claims, s.claims) {
		return false
	}
	if r.Trigger {
		t := s.doc.Trigger
		if t.Event != nil || s.trigger.Event != nil || t.Watch != nil || s.trigger.Watch != nil || *t != s.trigger {
			return false
		}
	}
	return true
}

// remember keeps what an evaluation rested on.
func (s *slot) remember(revision string, memoryVersion int, e Evaluation) {
	s.evaluated, s.revision, s.memory = true, revision, memoryVersion
	s.seen = append(s.seen[:0], s.doc.Signals...)
	s.target, s.claims, s.trigger = s.doc.Target, s.doc.Claims, *s.doc.Trigger
	s.proposals, s.problems, s.rules = e.Proposals, e.Problems, e.Rules
}

func sameSignal(a, b *Signal) bool {
	return a.State == b.State && a.Window == b.Window && a.Since.Equal(b.Since) && sameValue(a.Value, b.Value) && sameValue(a.Last, b.Last)
}

func sameValue(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && x == y
	case string:
		y, ok := b.(string)
		return ok && x == y
	case nil:
		return b == nil
	}
	return reflect.DeepEqual(a, b)
}

func sameTarget(a, b *Target) bool {
	if a.Model != b.Model || (a.Replicas == nil) != (b.Replicas == nil) || !slices.Equal(a.Placement, b.Placement) {
		return false
	}
	if a.Replicas != nil && *a.Replicas != *b.Replicas {
		return false
	}
	if a.APIVersion != b.APIVersion || len(a.Labels) != len(b.Labels) {
		return false
	}
	for k, v := range a.Labels {
		if w, ok := b.Labels[k]; !ok || v != w {
			return false
		}
	}
	return true
}
