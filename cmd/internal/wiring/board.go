package wiring

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/resource"
)

// refusal is why an agent was not accepted; the zero value is that it was.
type refusal struct{ reason, message string }

// board puts together what the status of each custom resource says, from how it was
// judged and from what its loop does, and hands it on where anything changed.
type board struct {
	write func(types.NamespacedName, resource.Status)
	leads func() bool // only one process writes

	mu  sync.Mutex
	all map[string]*entry
	rev string
}

type entry struct {
	name   types.NamespacedName
	status resource.Status
	known  bool // it was judged, so there is something to say
}

func newBoard(write func(types.NamespacedName, resource.Status), leads func() bool) *board {
	return &board{write: write, leads: leads, all: map[string]*entry{}}
}

func (b *board) of(name string) *entry {
	e := b.all[name]
	if e == nil {
		e = &entry{}
		b.all[name] = e
	}
	return e
}

// judged notes how an agent's spec was judged, and whether it, or an earlier one that
// was right, runs.
func (b *board) judged(name types.NamespacedName, generation int64, refused refusal, runs bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(name.String())
	e.name, e.known = name, true
	st := &e.status
	st.ObservedGeneration = generation
	st.Accepted, st.Reason, st.Message = refused.reason == "", refused.reason, refused.message
	if st.Accepted {
		st.Reason, st.Message = "Valid", "the spec is right, and fits the policies"
	}
	st.Running = runs
	switch {
	case runs && st.Accepted:
		st.RunningReason, st.RunningMessage = "Running", "as the spec says"
	case runs:
		st.RunningReason, st.RunningMessage = "LastGood", "as the last spec said that was right"
	default:
		st.RunningReason, st.RunningMessage = "NeverAccepted", "no spec of it was right since this process started"
	}
}

// gone forgets an agent that was deleted.
func (b *board) gone(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, name)
}

// report hands on what the judging changed.
func (b *board) report(revision string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rev = revision
	for _, e := range b.all {
		b.tell(e)
	}
}

// Fired notes what a firing changed for whoever looks at the agent.
func (b *board) Fired(f engine.FiringRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[f.Agent]
	if e == nil {
		return // it was deleted meanwhile
	}
	before := e.status
	e.status.Targets, b.rev = f.Targets, f.Revision
	if n := len(f.Decisions); n > 0 {
		d := f.Decisions[n-1]
		for _, other := range f.Decisions { // what was done says more than what was not
			if other.Verdict == engine.Admitted {
				d = other
			}
		}
		e.status.LastDecision = lastDecision(f, d)
	}
	if e.status.Targets != before.Targets || e.status.LastDecision != before.LastDecision || before.PolicyRevision != f.Revision {
		b.tell(e)
	}
}

// Acted is nothing that the status shows.
func (b *board) Acted(engine.Act) {}

func (b *board) tell(e *entry) {
	if !e.known || !b.leads() {
		return
	}
	e.status.PolicyRevision = b.rev
	b.write(e.name, e.status)
}

func lastDecision(f engine.FiringRecord, d engine.Decision) *manifest.LastDecision {
	out := &manifest.LastDecision{
		Time: manifest.Time{Time: f.At}, Target: d.Target.String(), Primitive: d.Primitive, Verdict: string(d.Verdict), Reason: d.Reason,
		Summary: fmt.Sprintf("%s %s %s: %s", d.Primitive, d.Target, d.Verdict, d.Detail),
	}
	if d.Verdict == engine.Refused {
		out.Reason = d.By
	}
	if d.DryRun {
		out.Summary = "dry run: " + out.Summary
	}
	return out
}
