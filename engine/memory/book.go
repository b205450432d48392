package memory

import (
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Book is the memory of one agent, by target. It is safe for concurrent use: an admission
// holds the lock (Lock) throughout and uses Of; every other method takes the lock itself.
type Book struct {
	sync.Mutex
	targets map[engine.TargetID]*Target
}

// NewBook returns an empty memory.
func NewBook() *Book { return &Book{targets: map[engine.TargetID]*Target{}} }

// Of returns the memory of a target. The lock is held.
func (b *Book) Of(id engine.TargetID) *Target {
	t := b.targets[id]
	if t == nil {
		t = &Target{}
		b.targets[id] = t
	}
	return t
}

// ActedOn returns the targets with acts of the verbs after a time. The lock is held.
func (b *Book) ActedOn(since time.Time, verbs []string) map[engine.TargetID]bool {
	out := map[engine.TargetID]bool{}
	for id, t := range b.targets {
		if t.Count(since, verbs) > 0 {
			out[id] = true
		}
	}
	return out
}

// Documents returns the part of the memory of each target that its document has, with a
// version that changes with it.
func (b *Book) Documents(ids []engine.TargetID) (docs []engine.Memory, versions []int) {
	b.Lock()
	defer b.Unlock()
	docs, versions = make([]engine.Memory, len(ids)), make([]int, len(ids))
	for i, id := range ids {
		t := b.Of(id)
		docs[i], versions[i] = t.doc, t.version
	}
	return docs, versions
}

// SetDocument sets the part that the document of a target has.
func (b *Book) SetDocument(id engine.TargetID, doc engine.Memory) {
	b.Lock()
	defer b.Unlock()
	b.Of(id).doc = doc
}

// Baseline returns a baseline of a target, the zero value if it was never set.
func (b *Book) Baseline(id engine.TargetID, name string) Baseline {
	b.Lock()
	defer b.Unlock()
	if t := b.targets[id]; t != nil {
		return t.baselines[name]
	}
	return Baseline{}
}

// Written returns when a verb was last applied to a target, zero if never.
func (b *Book) Written(id engine.TargetID, verb string) time.Time {
	b.Lock()
	defer b.Unlock()
	if t := b.targets[id]; t != nil {
		return t.wrote[verb]
	}
	return time.Time{}
}

// Begin records an act that is about to begin, for the next documents.
func (b *Book) Begin(in *engine.Intent) {
	b.Lock()
	defer b.Unlock()
	b.Of(in.Target.ID()).set(in, engine.Running)
}

// End records the outcome of an act. delivered is set where the outbox delivered it.
func (b *Book) End(in *engine.Intent, out engine.Outcome, at time.Time, delivered bool) {
	b.Lock()
	defer b.Unlock()
	b.Of(in.Target.ID()).end(in, out, at, delivered)
}

// Keep records notes and baselines.
func (b *Book) Keep(notes []engine.Note) {
	b.Lock()
	defer b.Unlock()
	for i := range notes {
		b.Of(notes[i].Target).keep(&notes[i])
	}
}

// Forget drops the memory of a target that is gone, unless a guard counts an act after
// before or the memory has more than acts. The journal keeps it.
func (b *Book) Forget(id engine.TargetID, before time.Time) {
	b.Lock()
	defer b.Unlock()
	if t := b.targets[id]; t != nil {
		t.forget(before)
		if len(t.acts) == 0 && len(t.doc) == 0 && len(t.wrote) == 0 && len(t.baselines) == 0 {
			delete(b.targets, id)
		}
	}
}

// Rewind moves every time that is in the future to now, after the clock was set back.
func (b *Book) Rewind(now time.Time) {
	b.Lock()
	defer b.Unlock()
	for _, t := range b.targets {
		t.rewind(now)
	}
}

// Load fills the book from the journal. Dry runs, and their notes, count only for an agent
// that is itself in mode dry-run: an agent in mode enforce is not held back by what was
// never done.
func (b *Book) Load(r engine.Recollection, dryRun bool, horizon time.Duration, verbs map[string]engine.Verb) {
	b.Lock()
	defer b.Unlock()
	b.targets = map[engine.TargetID]*Target{}
	for i := range r.Acts {
		act := &r.Acts[i]
		if act.DryRun && !dryRun {
			continue
		}
		t := b.Of(act.Target.ID())
		t.Add(&act.Intent, horizon)
		t.set(&act.Intent, engine.Running)
		if act.Outcome.Status != engine.Running && act.Outcome.Status != "" {
			t.end(&act.Intent, act.Outcome, act.EndedAt, verbs[act.Primitive].Delivered)
		}
	}
	for _, n := range notesFor(dryRun, r) {
		b.Of(n.Target).keep(&n)
	}
}

// NotAfter returns a recollection without times in the future: those that a clock that was
// ahead left behind count as now.
func NotAfter(r engine.Recollection, now time.Time) engine.Recollection {
	acts := make([]engine.Act, len(r.Acts))
	for i, act := range r.Acts {
		act.At, act.EndedAt = engine.NotAfter(act.At, now), engine.NotAfter(act.EndedAt, now)
		acts[i] = act
	}
	r.Acts = acts
	return r
}

// noteKey identifies a note of an agent.
type noteKey struct {
	target             engine.TargetID
	strategy, baseline string
	remembered         bool
}

func keyOf(n *engine.Note) noteKey { return noteKey{n.Target, n.Strategy, n.Baseline, n.Remembered} }

// notesFor returns the notes that an agent continues from: in mode enforce those of its
// acts; in mode dry-run those too, and over them the newer ones of dry runs.
func notesFor(dryRun bool, r engine.Recollection) []engine.Note {
	var out, over []engine.Note
	for _, n := range r.Notes {
		if n.DryRun {
			over = append(over, n)
		} else {
			out = append(out, n)
		}
	}
	if !dryRun || len(over) == 0 {
		return out
	}
	enforced := lastEnforced(r.Acts, out)
	for _, n := range over {
		if !n.At.IsZero() && !enforced[keyOf(&n)].After(n.At) {
			out = append(out, n)
		}
	}
	return out
}

// lastEnforced returns when the agent in mode enforce may have made each note last: a
// baseline and what is remembered have their times, and a note comes with an act of its
// strategy.
func lastEnforced(acts []engine.Act, notes []engine.Note) map[noteKey]time.Time {
	out := map[noteKey]time.Time{}
	for i := range acts {
		act := &acts[i]
		if k := (noteKey{target: act.Target.ID(), strategy: act.Strategy}); !act.DryRun && act.At.After(out[k]) {
			out[k] = act.At
		}
	}
	for i := range notes {
		switch n := &notes[i]; {
		case n.Baseline != "":
			out[keyOf(n)] = readBaseline(n.Value).At
		case n.Remembered:
			out[keyOf(n)] = n.At
		}
	}
	return out
}
