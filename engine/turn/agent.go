package turn

import (
	"encoding/json"
	"slices"
	"sort"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/approval"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// Agent is an agent as its turns see it: its spec, the books that the acts share with the
// turns, and what one turn leaves for the next. One turn at a time uses it.
type Agent struct {
	Spec      engine.Spec
	Verbs     map[string]engine.Verb
	Memory    *memory.Book
	Claims    *claim.View
	Approvals *approval.Book
	// Replaceable reports whether the act of an identity waits in the outbox for its next try,
	// so that an equal one may replace it; nil where nothing is delivered.
	Replaceable func(identity string) bool

	name     string   // namespace/name
	names    []string // of the signals
	targets  map[engine.TargetID]*target
	turns    int
	missing  map[engine.TargetID]int         // the turn since which a target is not in the fleet
	restored map[engine.TargetID][]lastValue // by earlier processes, for targets not seen yet
	reads    *agentReads
	faults   faultyOnes
}

// Name returns namespace/name.
func (a *Agent) Name() string { return a.name }

// NewAgent returns an agent before its first turn.
func NewAgent(spec engine.Spec, verbs map[string]engine.Verb, claims *claim.View) *Agent {
	a := &Agent{
		Spec: spec, Verbs: verbs, Memory: memory.NewBook(), Claims: claims, Approvals: approval.NewBook(),
		name: spec.String(), targets: map[engine.TargetID]*target{}, missing: map[engine.TargetID]int{},
	}
	for _, s := range spec.Sensors {
		a.names = append(a.names, s.Name)
	}
	return a
}

// Begin records an act that is about to begin, for the next documents.
func (a *Agent) Begin(in *engine.Intent) { a.Memory.Begin(in) }

// End records the outcome of an act in the memory, and starts the cooldown and the hold of its
// claim. The act ended at the time at.
func (a *Agent) End(in *engine.Intent, out engine.Outcome, at, now time.Time) {
	a.Memory.End(in, out, at, a.Verbs[in.Primitive].Delivered)
	a.Claims.Release(in, a.EndOf(in, out, at), now)
}

// EndOf returns how the claim of an act ends that ended at a time. One that wrote nothing is
// not held against other agents.
func (a *Agent) EndOf(in *engine.Intent, out engine.Outcome, at time.Time) claim.End {
	end := claim.End{At: at, Applied: out.Applied}
	if out.Status == engine.Done || out.Status == engine.Failed {
		_, end.Cooldown = a.Spec.Guards.CooldownOf(in.Primitive, in.Direction)
		if verb := a.Verbs[in.Primitive]; !verb.Transient {
			end.Hold = a.Spec.Guards.Hold
		}
	}
	return end
}

// target returns the state of a target, new on its first appearance.
func (a *Agent) target(t *engine.Target) *target {
	id := t.ID()
	s := a.targets[id]
	if s == nil {
		s = &target{last: make([]lastValue, len(a.names)), totals: make([]total, len(a.names)), held: a.newHeld()}
		if last := a.restored[id]; len(last) == len(a.names) {
			copy(s.last, last)
		}
		s.doc.Agent, s.doc.Names, s.doc.Params = &a.Spec.AgentInfo, a.names, a.Spec.Params
		s.doc.Signals = make([]engine.Signal, len(a.names))
		a.targets[id] = s
	}
	return s
}

// retireAfter is the number of turns without a target after which its state is dropped. The
// memory of its acts stays.
const retireAfter = 100

// retire drops the state of targets that are gone.
func (a *Agent) retire(present []*target, now time.Time) {
	a.turns++
	if len(a.targets) == len(present) {
		if len(a.missing) > 0 {
			clear(a.missing)
		}
		return
	}
	here := make(map[*target]bool, len(present))
	for _, s := range present {
		here[s] = true
	}
	for id, s := range a.targets {
		if here[s] {
			delete(a.missing, id)
		} else if since, known := a.missing[id]; !known {
			a.missing[id] = a.turns
		} else if a.turns-since > retireAfter {
			delete(a.targets, id)
			delete(a.missing, id)
			a.Memory.Forget(id, now.Add(-a.Spec.Guards.Horizon()))
		}
	}
}

// readsIn returns what each strategy reads in a revision.
func (a *Agent) readsIn(rev engine.Revision) *agentReads {
	if a.reads == nil || a.reads.revision != rev.ID() {
		a.reads = readsOf(rev, a.Spec.Strategies, a.names)
	}
	return a.reads
}

// Documents returns the newest documents as JSON, of the first targets by name, at most most.
func (a *Agent) Documents(most int) []json.RawMessage {
	all := make([]*target, 0, len(a.targets))
	for _, s := range a.targets {
		all = append(all, s)
	}
	return documents(all, most)
}

// savedReadings are the last good values as a journal keeps them.
type savedReadings struct {
	Names   []string
	Targets []savedTarget
}

type savedTarget struct {
	ID   engine.TargetID
	Last []lastValue
}

// Readings returns the last good values of the sensors as JSON, nil where there are none. A
// restart needs them only to distinguish a series that is gone from one that never existed.
func (a *Agent) Readings() ([]byte, error) {
	if len(a.names) == 0 || len(a.targets) == 0 {
		return nil, nil
	}
	out := savedReadings{Names: a.names}
	for id, s := range a.targets {
		out.Targets = append(out.Targets, savedTarget{id, s.last})
	}
	sort.Slice(out.Targets, func(i, j int) bool { return out.Targets[i].ID.Less(out.Targets[j].ID) })
	return json.Marshal(out)
}

// RestoreReadings restores what Readings returned, by the names of the sensors: the manifest
// may have changed.
func (a *Agent) RestoreReadings(raw []byte) {
	var in savedReadings
	if len(raw) == 0 || jsonvalue.Unmarshal(raw, &in) != nil {
		return
	}
	a.restored = make(map[engine.TargetID][]lastValue, len(in.Targets))
	for _, t := range in.Targets {
		last := make([]lastValue, len(a.names))
		for i, name := range a.names {
			if j := slices.Index(in.Names, name); j >= 0 && j < len(t.Last) {
				last[i] = t.Last[j]
			}
		}
		a.restored[t.ID] = last
	}
}
