package app

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// refusal is why an agent was not accepted; the zero value is that it was.
type refusal struct{ reason, message string }

// board puts together what the status of each custom resource says, from how it was
// judged and from what its loop does, and hands it on where anything changed.
type board struct {
	write func(types.NamespacedName, agentcr.Status)
	leads func() bool // only one process writes

	mu  sync.Mutex
	all map[string]*entry
	rev string
}

type entry struct {
	name   types.NamespacedName
	status agentcr.Status
	// problems are those of the last firing. Their number, not their words, says whether
	// they are others: an error may name another port each time.
	problems []string
	// withheld are its Secrets that are not sent where they should go.
	withheld []string
}

func newBoard(write func(types.NamespacedName, agentcr.Status), leads func() bool) *board {
	return &board{write: write, leads: leads, all: map[string]*entry{}}
}

// judged notes how an agent's spec was judged, and whether it, or an earlier one that
// was right, runs.
func (b *board) judged(name types.NamespacedName, generation int64, refused refusal, runs *acceptedAgent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[name.String()]
	if e == nil {
		e = &entry{name: name}
		b.all[name.String()] = e
	}
	st := &e.status
	st.ObservedGeneration = generation
	st.Accepted, st.Reason, st.Message = refused.reason == "", refused.reason, refused.message
	if st.Accepted {
		st.Reason, st.Message = "Valid", "the spec is right, and fits the policies"
	}
	st.Running, st.LastGood = runs != nil, nil
	switch {
	case runs != nil && st.Accepted:
		st.RunningReason, st.RunningMessage = "Running", "as the spec says"
	case runs != nil:
		st.RunningReason, st.RunningMessage, st.LastGood = "LastGood", "as the last spec said that was right", runs.written
	default:
		st.RunningReason, st.RunningMessage = "NeverAccepted", "no spec of it was right so far"
	}
}

// withheld notes which Secrets of an agent are not sent where they should go.
func (b *board) withheld(agent string, which []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[agent]
	if e == nil || slices.Equal(e.withheld, which) {
		return
	}
	e.withheld = which
	b.tell(e)
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
	before, problems := e.status, len(e.problems)
	e.problems = f.Problems
	e.status.Targets, b.rev = f.Targets, f.Revision
	if d, is := telling(f); is {
		e.status.LastDecision = lastDecision(f, d)
	}
	if e.status.Targets != before.Targets || e.status.LastDecision != before.LastDecision || before.PolicyRevision != f.Revision || problems != len(f.Problems) {
		b.tell(e)
	}
}

// telling is the decision of a firing that says most: what was done more than what was
// not, and what waits for an act of the agent's own that is under way nothing.
func telling(f engine.FiringRecord) (d engine.Decision, is bool) {
	for _, other := range f.Decisions {
		waits := other.By == "claims" && strings.HasSuffix(other.Detail, " of "+f.Agent+" (running)")
		if !waits && (!is || d.Verdict != engine.Admitted || other.Verdict == engine.Admitted) {
			d, is = other, true
		}
	}
	return d, is
}

// Acted is nothing that the status shows.
func (b *board) Acted(engine.Act) {}

func (b *board) tell(e *entry) {
	if !b.leads() {
		return
	}
	e.status.PolicyRevision = b.rev
	says := e.status
	if says.Running && len(e.problems)+len(e.withheld) > 0 {
		if says.RunningReason == "Running" {
			says.RunningReason = "Problems"
		}
		if len(e.withheld) > 0 {
			says.RunningMessage += "; nothing is sent with these:\n" + strings.Join(e.withheld, "\n")
		}
		if len(e.problems) > 0 {
			says.RunningMessage += "; at the last firing:\n" + strings.Join(e.problems, "\n")
		}
	}
	b.write(e.name, says)
}

// longestBrief is how many characters of a detail go into a column of kubectl get.
const longestBrief = 60

func brief(detail string) string {
	line, _, _ := strings.Cut(detail, "\n")
	if r := []rune(line); len(r) > longestBrief {
		return strings.TrimRight(string(r[:longestBrief]), " ,;:(") + "..."
	}
	return line
}

func lastDecision(f engine.FiringRecord, d engine.Decision) *manifest.LastDecision {
	out := &manifest.LastDecision{
		Time: manifest.Time{Time: f.At}, Target: d.Target.String(), Primitive: d.Primitive, Verdict: string(d.Verdict), Reason: d.Reason,
		Summary: fmt.Sprintf("%s %s %s: %s", d.Primitive, d.Target, d.Verdict, brief(d.Detail)), Detail: d.Detail,
	}
	if d.Verdict == engine.Refused {
		out.Reason = d.By
	}
	if d.DryRun {
		out.Summary = "dry run: " + out.Summary
	}
	return out
}
