package loop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/scanflow-k8s/scanflow/engine"
)

// overlaps finds the agents that write one field of one target, by the fleets of their last
// firings. A firing whose fleet did not change costs one comparison of it, and another as
// much as changed.
type overlaps struct {
	verbs map[string]engine.Verb
	// changed is called, with the lock held, for each agent whose overlaps changed, and for each
	// agent at its first fleet.
	changed func(agent string, found []overlap)

	mu     sync.Mutex
	agents map[string]*writer
	on     map[engine.TargetID]map[string]bool // the writers of each target
}

// writer is an agent in mode enforce with a verb that writes a field.
type writer struct {
	name     string
	fields   []string // sorted
	priority int
	targets  []engine.TargetID
	shared   map[string]int // how many targets, by the other agent
	told     []overlap
	isTold   bool
}

// overlap has the fields and targets that an agent shares with another.
type overlap struct {
	Other   string
	Fields  []string
	Targets int
	First   engine.TargetID
	// Own and Others are the priorities of the agent and of the other.
	Own, Others int
}

// String describes the overlap to a person.
func (o *overlap) String() string {
	text := fmt.Sprintf("%s writes %s of %s too", o.Other, strings.Join(o.Fields, " and "), o.First)
	if o.Targets > 1 {
		text = fmt.Sprintf("%s writes %s of %d targets too, like %s", o.Other, strings.Join(o.Fields, " and "), o.Targets, o.First)
	}
	switch {
	case o.Own == o.Others:
		return text + fmt.Sprintf(": both have spec.priority %d, so who writes first holds the field (guards.hold); give one a higher spec.priority, or other targets", o.Own)
	case o.Own > o.Others:
		return text + fmt.Sprintf(": this agent has the higher spec.priority (%d against %d), and wins", o.Own, o.Others)
	}
	return text + fmt.Sprintf(": it has the higher spec.priority (%d against %d), and wins", o.Others, o.Own)
}

func newOverlaps(verbs map[string]engine.Verb, changed func(string, []overlap)) *overlaps {
	return &overlaps{verbs: verbs, changed: changed, agents: map[string]*writer{}, on: map[engine.TargetID]map[string]bool{}}
}

// fieldsOf returns the fields that an agent may write, sorted; none where it does not act.
func (o *overlaps) fieldsOf(spec *engine.Spec) []string {
	var out []string
	for _, name := range spec.Primitives {
		verb := o.verbs[name]
		if field := verb.Field(); field != "" && spec.Mode == engine.Enforce {
			out = append(out, field)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listed takes the fleet of an agent's firing.
func (o *overlaps) listed(spec *engine.Spec, fleet []engine.Target) {
	name := spec.String()
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.agents[name]
	if w == nil {
		w = &writer{name: name, fields: o.fieldsOf(spec), priority: spec.Priority, shared: map[string]int{}}
		o.agents[name] = w
	}
	same := func(id engine.TargetID, t engine.Target) bool { return id == t.ID() }
	switch {
	case w.isTold && (len(w.fields) == 0 || slices.EqualFunc(w.targets, fleet, same)):
		return
	case len(w.fields) == 0:
		fleet = nil
	}
	next := make([]engine.TargetID, len(fleet))
	for i := range fleet {
		next[i] = fleet[i].ID()
	}
	o.move(w, next)
	o.tell()
}

// drop forgets agents that are stopped.
func (o *overlaps) drop(names ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range names {
		if w := o.agents[name]; w != nil {
			o.move(w, nil)
			delete(o.agents, name)
		}
	}
	o.tell()
}

// move replaces the targets of an agent. The lock is held.
func (o *overlaps) move(w *writer, next []engine.TargetID) {
	keep := make(map[engine.TargetID]bool, len(next))
	for _, id := range next {
		keep[id] = true
	}
	for _, id := range w.targets {
		if keep[id] {
			delete(keep, id)
			continue
		}
		delete(o.on[id], w.name)
		o.count(w, id, -1)
		if len(o.on[id]) == 0 {
			delete(o.on, id)
		}
	}
	for id := range keep { // new
		o.count(w, id, 1)
		if o.on[id] == nil {
			o.on[id] = map[string]bool{}
		}
		o.on[id][w.name] = true
	}
	w.targets = next
}

// count counts a target that others have too.
func (o *overlaps) count(w *writer, id engine.TargetID, by int) {
	for name := range o.on[id] {
		other := o.agents[name]
		if len(common(w.fields, other.fields)) == 0 {
			continue
		}
		w.shared[name] += by
		other.shared[w.name] += by
		if w.shared[name] == 0 {
			delete(w.shared, name)
			delete(other.shared, w.name)
		}
	}
}

// tell calls changed for the agents whose overlaps changed. The lock is held.
func (o *overlaps) tell() {
	for _, name := range slices.Sorted(maps.Keys(o.agents)) {
		w := o.agents[name]
		if found := o.of(w); !w.isTold || !slices.Equal(texts(w.told), texts(found)) {
			w.told, w.isTold = found, true
			o.changed(name, found)
		}
	}
}

func texts(found []overlap) []string {
	var out []string
	for i := range found {
		out = append(out, found[i].String())
	}
	return out
}

// of returns the overlaps of an agent, by the other's name. The lock is held.
func (o *overlaps) of(w *writer) []overlap {
	var out []overlap
	for _, name := range slices.Sorted(maps.Keys(w.shared)) {
		other := o.agents[name]
		first := slices.IndexFunc(w.targets, func(id engine.TargetID) bool { return o.on[id][name] })
		out = append(out, overlap{name, common(w.fields, other.fields), w.shared[name], w.targets[first], w.priority, other.priority})
	}
	return out
}

// common returns what is in both lists.
func common(a, b []string) []string {
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
