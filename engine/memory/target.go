package memory

import (
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// Target is the memory of one target. The lock of its Book is held. The engine.Memory that
// documents have is replaced, never changed in place.
type Target struct {
	doc       engine.Memory
	version   int
	acts      []pastAct
	wrote     map[string]time.Time // when each verb was last applied
	failed    map[failureKey]Failures
	baselines map[string]Baseline // by name
}

// pastAct is the part of an act that the guards need.
type pastAct struct {
	identity  string
	same      string // equal for equal acts
	verb      string
	direction engine.Direction
	at        time.Time // when it began, then when it ended
	running   bool
}

// same returns a text that is equal for equal acts on one target.
func same(strategy, verb string, with map[string]any) string {
	return strategy + "\x00" + verb + "\x00" + jsonvalue.Canonical(with)
}

// Add counts an act, and drops those that are older than any guard counts.
func (t *Target) Add(in *engine.Intent, horizon time.Duration) {
	t.forget(in.At.Add(-horizon))
	t.acts = append(t.acts, pastAct{in.Identity, same(in.Strategy, in.Primitive, in.With), in.Primitive, in.Direction, in.At, true})
}

// Remove undoes Add.
func (t *Target) Remove(identity string) {
	t.acts = slices.DeleteFunc(t.acts, func(a pastAct) bool { return a.identity == identity })
}

// end records the outcome of an act. A no-op leaves no trace: it starts no cooldown and
// spends no budget. The guards count an act that is delivered from its admission, as the
// time of the answer depends on the receiver.
func (t *Target) end(in *engine.Intent, out engine.Outcome, at time.Time, delivered bool) {
	if out.Applied && in.At.After(t.wrote[in.Primitive]) {
		if t.wrote == nil {
			t.wrote = map[string]time.Time{}
		}
		t.wrote[in.Primitive] = in.At
	}
	t.countFailure(in, out, at)
	if out.Status == engine.NoOp || out.Status == engine.Abandoned {
		t.Remove(in.Identity)
	}
	for i := range t.acts {
		if t.acts[i].identity == in.Identity {
			if t.acts[i].running = false; !delivered {
				t.acts[i].at = at
			}
		}
	}
	t.set(in, out.Status)
}

func (t *Target) set(in *engine.Intent, status engine.Status) {
	t.edit(in.Strategy, func(s *engine.StrategyMemory) {
		s.Last = maps.Clone(s.Last)
		if s.Last == nil {
			s.Last = map[string]engine.LastAct{}
		}
		s.Last[in.Primitive] = engine.LastAct{AtNS: in.At.UnixNano(), Outcome: status, With: in.With}
	})
}

func (t *Target) keep(n *engine.Note) {
	if n.Remembered {
		t.edit(n.Strategy, func(s *engine.StrategyMemory) { s.Remembered = n.Value })
		return
	}
	if n.Baseline == "" {
		t.edit(n.Strategy, func(s *engine.StrategyMemory) { s.Note = n.Value })
		return
	}
	if t.baselines == nil {
		t.baselines = map[string]Baseline{}
	}
	t.baselines[n.Baseline] = readBaseline(n.Value)
}

// edit changes a copy: documents have the earlier one.
func (t *Target) edit(strategy string, change func(*engine.StrategyMemory)) {
	next := maps.Clone(t.doc)
	if next == nil {
		next = engine.Memory{}
	}
	s := next[strategy]
	change(&s)
	next[strategy] = s
	t.doc = next
	t.version++
}

// forget drops the acts that no guard counts any more.
func (t *Target) forget(before time.Time) {
	t.acts = slices.DeleteFunc(t.acts, func(a pastAct) bool { return !a.running && a.at.Before(before) })
}

// Running returns the identities of equal acts that have not ended.
func (t *Target) Running(strategy, verb string, with map[string]any) []string {
	var out []string
	for _, a := range t.acts {
		if a.running && a.verb == verb && a.same == same(strategy, verb, with) {
			out = append(out, a.identity)
		}
	}
	return out
}

// Last returns when the last act of a verb was, or, with directions, of any of these.
func (t *Target) Last(verb string, directions ...engine.Direction) (time.Time, bool) {
	var last time.Time
	for _, a := range t.acts {
		if len(directions) == 0 && a.verb == verb || slices.Contains(directions, a.direction) {
			if a.at.After(last) {
				last = a.at
			}
		}
	}
	return last, !last.IsZero()
}

// Count counts the acts begun or ended after a time, of some verbs or, with nil, of all.
func (t *Target) Count(after time.Time, verbs []string) int {
	n := 0
	for _, a := range t.acts {
		if a.at.After(after) && engine.GuardCovers(verbs, a.verb) {
			n++
		}
	}
	return n
}

// Oldest returns when the first of the acts was that Count counts; zero if there is none.
func (t *Target) Oldest(after time.Time, verbs []string) (first time.Time) {
	for _, a := range t.acts {
		if a.at.After(after) && engine.GuardCovers(verbs, a.verb) && (first.IsZero() || a.at.Before(first)) {
			first = a.at
		}
	}
	return first
}

// rewind moves every time that is in the future to now.
func (t *Target) rewind(now time.Time) {
	for i := range t.acts {
		t.acts[i].at = engine.NotAfter(t.acts[i].at, now)
	}
	for key, f := range t.failed {
		t.failed[key] = f.rewound(now)
	}
	for strategy, s := range t.doc {
		for verb, last := range s.Last {
			if last.AtNS > now.UnixNano() {
				last.AtNS = now.UnixNano()
				t.edit(strategy, func(s *engine.StrategyMemory) { s.Last = maps.Clone(s.Last); s.Last[verb] = last })
			}
		}
	}
}
