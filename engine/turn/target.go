package turn

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// target is the state of one target: its document, changed in place from turn to turn, and
// the result of its last evaluation.
type target struct {
	doc    engine.Document
	last   []lastValue // by sensor
	totals []total     // of the sensors that count, by sensor
	held   []*held     // by sensor, nil for those without sustained

	evaluated bool
	basis     basis

	proposals []engine.Proposal
	problems  []engine.Problem
	rules     map[string][]string
	// reported is the summary of the decisions that were recorded last.
	reported string
	// rechecked is that of a recheck, which decides on one proposal only.
	rechecked string
}

// basis holds the inputs of an evaluation.
type basis struct {
	revision string
	memory   int
	signals  []engine.Signal
	target   engine.Target
	claims   []engine.Claim
	trigger  engine.TriggerInfo
}

// reads are the reads of the strategies, with signals as indices into the document's.
type reads struct {
	engine.Reads
	signals []int
	// sustained are those of signals whose sustained is read.
	sustained []int
}

func resolve(r engine.Reads, names []string) reads {
	out := reads{Reads: r}
	for i, n := range names {
		if r.AllSignals || slices.Contains(r.Signals, n) {
			out.signals = append(out.signals, i)
		}
		if r.AllSustained || slices.Contains(r.Sustained, n) {
			out.sustained = append(out.sustained, i)
		}
	}
	return out
}

// unchanged reports whether the strategies would read what they read at the last
// evaluation. Agent and params can't change.
func (s *target) unchanged(revision string, r *reads, memoryVersion int) bool {
	// A strategy that failed may succeed now: the document does not show whether.
	if !s.evaluated || s.basis.revision != revision || r.Now || len(s.problems) > 0 {
		return false
	}
	for _, i := range r.signals {
		if !equalSignals(&s.doc.Signals[i], &s.basis.signals[i]) {
			return false
		}
	}
	for _, i := range r.sustained {
		if !s.doc.Signals[i].Sustained.Equal(s.basis.signals[i].Sustained) {
			return false
		}
	}
	if r.Memory && s.basis.memory != memoryVersion {
		return false
	}
	if r.Target && !equalTargets(&s.doc.Target, &s.basis.target) {
		return false
	}
	if r.Claims && !slices.Equal(s.doc.Claims, s.basis.claims) {
		return false
	}
	if r.Trigger {
		t, before := s.doc.Trigger, &s.basis.trigger
		if t.Event != nil || before.Event != nil || t.Watch != nil || before.Watch != nil || *t != *before {
			return false
		}
	}
	return true
}

// setEvaluation keeps an evaluation and what it rested on.
func (s *target) setEvaluation(revision string, memoryVersion int, e engine.Evaluation) {
	s.evaluated = true
	s.basis = basis{revision, memoryVersion, append(s.basis.signals[:0], s.doc.Signals...), s.doc.Target, s.doc.Claims, *s.doc.Trigger}
	s.proposals, s.problems, s.rules = e.Proposals, e.Problems, e.Rules
}

func equalSignals(a, b *engine.Signal) bool {
	return a.State == b.State && a.Window == b.Window && a.Since.Equal(b.Since) && equalValues(a.Value, b.Value) && equalValues(a.Last, b.Last)
}

func equalValues(a, b any) bool {
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

func equalTargets(a, b *engine.Target) bool {
	if a.Model != b.Model || (a.Replicas == nil) != (b.Replicas == nil) || !slices.Equal(a.Placement, b.Placement) {
		return false
	}
	if a.Replicas != nil && *a.Replicas != *b.Replicas {
		return false
	}
	if (a.Pods == nil) != (b.Pods == nil) || !slices.Equal(a.Pods, b.Pods) || a.PodsOmitted != b.PodsOmitted {
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

// documents returns the newest documents as JSON, of the first targets by name.
func documents(targets []*target, most int) []json.RawMessage {
	targets = slices.DeleteFunc(slices.Clone(targets), func(s *target) bool { return s.doc.Now.IsZero() })
	slices.SortFunc(targets, func(x, y *target) int { return compareIDs(x.doc.Target.ID(), y.doc.Target.ID()) })
	var out []json.RawMessage
	for _, s := range targets[:min(len(targets), most)] {
		if raw, err := json.Marshal(&s.doc); err == nil { // a decision on it reports the error
			out = append(out, raw)
		}
	}
	return out
}

func compareIDs(a, b engine.TargetID) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	}
	return 1
}
