package memory

import (
	"cmp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// State is the part of a book that guards count, as JSON: another process decides on it as
// this one would.
type State struct {
	Acts     []CountedAct `json:"acts,omitempty"`
	Failures []AlikeActs  `json:"failures,omitempty"`
}

// CountedAct is an act that guards count.
type CountedAct struct {
	Target    engine.TargetID  `json:"target"`
	Identity  string           `json:"identity"`
	Same      string           `json:"same"` // equal for equal acts
	Verb      string           `json:"verb"`
	Direction engine.Direction `json:"direction,omitempty"`
	At        time.Time        `json:"at"`
	Running   bool             `json:"running,omitempty"`
}

// AlikeActs are the consecutive failures of alike acts on a target.
type AlikeActs struct {
	Target    engine.TargetID  `json:"target"`
	Verb      string           `json:"verb"`
	Direction engine.Direction `json:"direction,omitempty"`
	With      string           `json:"with,omitempty"` // canonical
	Failures  Failures         `json:"failures"`
}

// State returns what the guards count, in the order of the targets.
func (b *Book) State() State {
	b.Lock()
	defer b.Unlock()
	var out State
	for id, t := range b.targets {
		for _, a := range t.acts {
			out.Acts = append(out.Acts, CountedAct{id, a.identity, a.same, a.verb, a.direction, a.at, a.running})
		}
		for key, f := range t.failed {
			out.Failures = append(out.Failures, AlikeActs{id, key.verb, key.direction, key.with, f})
		}
	}
	slices.SortStableFunc(out.Acts, func(x, y CountedAct) int { return cmp.Compare(x.Target.String(), y.Target.String()) })
	slices.SortFunc(out.Failures, func(x, y AlikeActs) int {
		return cmp.Or(cmp.Compare(x.Target.String(), y.Target.String()), cmp.Compare(x.Verb, y.Verb), cmp.Compare(x.Direction, y.Direction), cmp.Compare(x.With, y.With))
	})
	return out
}

// FromState returns a book whose guards count what State returned.
func FromState(s State) *Book {
	b := NewBook()
	for _, a := range s.Acts {
		t := b.Of(a.Target)
		t.acts = append(t.acts, pastAct{a.Identity, a.Same, a.Verb, a.Direction, a.At, a.Running})
	}
	for _, f := range s.Failures {
		t := b.Of(f.Target)
		if t.failed == nil {
			t.failed = map[failureKey]Failures{}
		}
		t.failed[failureKey{f.Verb, f.Direction, f.With}] = f.Failures
	}
	return b
}
