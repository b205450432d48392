package engine

import (
	"maps"
	"slices"
	"time"
)

// memory is what an agent remembers of one target. It is guarded by the agent's
// mutex. The Memory that documents hold is replaced, never changed in place.
type memory struct {
	doc     Memory
	version int
	acts    []pastAct
	wrote   map[string]time.Time // by verb: when it was last applied
	failed  map[string]failures  // by strategy, verb and parameters
	marks   map[string]mark      // by name
}

// pastAct is what the guards need of an act.
type pastAct struct {
	identity  string
	verb      string
	direction Direction
	at        time.Time // begun, then ended
	running   bool
	what      string // strategy and parameters
}

// counted adds an act to what the guards count, and drops those that are older than
// any guard looks back.
func (m *memory) counted(in Intent, horizon time.Duration) {
	m.forget(in.At.Add(-horizon))
	m.acts = append(m.acts, pastAct{in.Identity, in.Primitive, in.Direction, in.At, true, in.Strategy + canonical(in.With)})
}

// uncounted takes it back.
func (m *memory) uncounted(identity string) {
	m.acts = slices.DeleteFunc(m.acts, func(a pastAct) bool { return a.identity == identity })
}

// began notes an act that is about to begin, for the documents to come.
func (m *memory) began(in Intent) { m.set(in, Running) }

// ended notes an act's outcome. A no-op leaves no trace: it starts no cooldown
// and spends no budget. Of an act that is delivered the guards count from its admission:
// when it is answered, nobody here can say.
func (m *memory) ended(in Intent, out Outcome, at time.Time, delivered bool) {
	status := out.Status
	if out.Applied && in.At.After(m.wrote[in.Primitive]) {
		if m.wrote == nil {
			m.wrote = map[string]time.Time{}
		}
		m.wrote[in.Primitive] = in.At
	}
	m.failing(in, status, at)
	if status == NoOp || status == Abandoned {
		m.uncounted(in.Identity)
	}
	for i := range m.acts {
		if m.acts[i].identity == in.Identity {
			if m.acts[i].running = false; !delivered {
				m.acts[i].at = at
			}
		}
	}
	m.set(in, status)
}

func (m *memory) set(in Intent, status Status) {
	m.edit(in.Strategy, func(s *StrategyMemory) {
		s.Last = maps.Clone(s.Last)
		if s.Last == nil {
			s.Last = map[string]LastAct{}
		}
		s.Last[in.Primitive] = LastAct{AtNS: in.At.UnixNano(), Outcome: status, With: in.With}
	})
}

func (m *memory) note(strategy string, value any) {
	m.edit(strategy, func(s *StrategyMemory) { s.Note = value })
}

// edit changes a copy: documents hold the Memory of before.
func (m *memory) edit(strategy string, change func(*StrategyMemory)) {
	next := maps.Clone(m.doc)
	if next == nil {
		next = Memory{}
	}
	s := next[strategy]
	change(&s)
	next[strategy] = s
	m.doc = next
	m.version++
}

// forget drops the acts that no guard counts any more.
func (m *memory) forget(before time.Time) {
	m.acts = slices.DeleteFunc(m.acts, func(a pastAct) bool { return !a.running && a.at.Before(before) })
}

// underWay tells whether the same act, asked for before, has not ended yet.
func (m *memory) underWay(strategy, verb string, with map[string]any) bool {
	what := strategy + canonical(with)
	return slices.ContainsFunc(m.acts, func(a pastAct) bool { return a.running && a.verb == verb && a.what == what })
}

// lastOf is when the last act of a verb, and where wanted of a direction, was.
func (m *memory) lastOf(verb string, directions ...Direction) (time.Time, bool) {
	var last time.Time
	for _, a := range m.acts {
		if len(directions) == 0 && a.verb == verb || slices.Contains(directions, a.direction) {
			if a.at.After(last) {
				last = a.at
			}
		}
	}
	return last, !last.IsZero()
}

// since counts the acts begun or ended after t, those of some verbs or, nil, of all.
func (m *memory) since(t time.Time, verbs []string) int {
	n := 0
	for _, a := range m.acts {
		if a.at.After(t) && among(verbs, a.verb) {
			n++
		}
	}
	return n
}

// oldest is when the first of the acts that since counts was; zero if there is none.
func (m *memory) oldest(t time.Time, verbs []string) (first time.Time) {
	for _, a := range m.acts {
		if a.at.After(t) && among(verbs, a.verb) && (first.IsZero() || a.at.Before(first)) {
			first = a.at
		}
	}
	return first
}

// recall fills an agent's memories from the journal. Dry runs, and what they noted, count
// only for an agent that is itself dry: an agent that is let loose must not be held back
// by what it never did.
func recall(r Recollection, dry bool, horizon time.Duration, verbs map[string]Verb) map[TargetID]*memory {
	out := map[TargetID]*memory{}
	of := func(id TargetID) *memory {
		m := out[id]
		if m == nil {
			m = &memory{}
			out[id] = m
		}
		return m
	}
	for _, act := range r.Acts {
		if act.DryRun && !dry {
			continue
		}
		m := of(act.Target)
		m.counted(act.Intent, horizon)
		m.began(act.Intent)
		if act.Outcome.Status != Running && act.Outcome.Status != "" {
			m.ended(act.Intent, act.Outcome, act.EndedAt, verbs[act.Primitive].Delivered)
		}
	}
	for _, n := range notesFor(dry, r) {
		of(n.Target).keep(n)
	}
	return out
}

// Horizon is how far back the guards of an agent look: what it did before that, they
// don't count.
func (g *Guards) Horizon() time.Duration {
	h := time.Duration(0)
	for _, d := range g.Cooldown {
		h = max(h, d)
	}
	if g.Budget != nil {
		h = max(h, g.Budget.Per)
	}
	if g.Fleet != nil {
		h = max(h, g.Fleet.Per)
	}
	return h
}
