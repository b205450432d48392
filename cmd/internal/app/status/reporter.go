// Package status writes the status of the Agent resources: how each spec was judged, what
// runs, and what the agent decided last. It judges nothing. Start reading at Reporter.
package status

import (
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
)

// Refusal is why an agent was not accepted; the zero value means that it was.
type Refusal struct{ Reason, Message string }

// Judgement is the result of judging a resource.
type Judgement struct {
	Generation int64
	Refused    Refusal
	// Running is the spec that runs, as it was written: this one, or an earlier one that
	// was accepted. Nil where none runs.
	Running map[string]any
}

// Reporter puts together the status of each Agent resource, and reports it when anything
// changed. It observes the firings of the agents.
type Reporter struct {
	write   func(types.NamespacedName, agentcr.Status)
	leading func() bool

	mu       sync.Mutex
	agents   map[string]*agent
	revision string
}

type agent struct {
	name   types.NamespacedName
	status agentcr.Status
	// problems are those of the last firing. The status is written again when their number
	// changes, not their text: an error may name another port each time.
	problems []string
	// withheld are the Secrets that are not sent where the agent wants them.
	withheld []string
	// overlaps are the other agents that write a field of its targets.
	overlaps []string
}

var _ engine.Observer = (*Reporter)(nil)

// NewReporter makes a reporter that calls write while leading returns true: one process
// writes the statuses.
func NewReporter(write func(types.NamespacedName, agentcr.Status), leading func() bool) *Reporter {
	return &Reporter{write: write, leading: leading, agents: map[string]*agent{}}
}

// Judged records how an agent's spec was judged. Publish writes it.
func (r *Reporter) Judged(name types.NamespacedName, j Judgement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name.String()]
	if a == nil {
		a = &agent{name: name}
		r.agents[name.String()] = a
	}
	st := &a.status
	st.ObservedGeneration = j.Generation
	st.Accepted, st.Reason, st.Message = j.Refused == Refusal{}, j.Refused.Reason, j.Refused.Message
	if st.Accepted {
		st.Reason, st.Message = "Valid", "the spec is right, and fits the policies"
	}
	st.Running, st.LastGood = j.Running != nil, nil
	switch {
	case st.Running && st.Accepted:
		st.RunningReason, st.RunningMessage = "Running", "as the spec says"
	case st.Running:
		st.RunningReason, st.RunningMessage, st.LastGood = "LastGood", "as the last spec said that was right", j.Running
	default:
		st.RunningReason, st.RunningMessage = "NeverAccepted", "no spec of it was right so far"
	}
}

// Withheld records which Secrets of an agent are not sent where the agent wants them.
func (r *Reporter) Withheld(name string, secrets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name]
	if a == nil || slices.Equal(a.withheld, secrets) {
		return
	}
	a.withheld = secrets
	r.report(a)
}

// Deleted forgets an agent.
func (r *Reporter) Deleted(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.agents, name)
}

// Publish writes the status of every agent, with the revision of the live policies.
func (r *Reporter) Publish(revision string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revision = revision
	for _, a := range r.agents {
		r.report(a)
	}
}

// Fired records a firing, and writes the status if it shows a difference.
func (r *Reporter) Fired(f engine.FiringRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[f.Agent]
	if a == nil {
		return // deleted since
	}
	before, problems := a.status, len(a.problems)
	a.problems = f.Problems
	a.status.Targets, r.revision = f.Targets, f.Revision
	if d, found := mostImportant(f); found {
		a.status.LastDecision = lastDecision(f, d)
	}
	if a.status.Targets != before.Targets || a.status.LastDecision != before.LastDecision || before.PolicyRevision != f.Revision || problems != len(f.Problems) {
		r.report(a)
	}
}

// Acted does nothing: the status shows decisions, and no acts.
func (r *Reporter) Acted(engine.Act) {}

func (r *Reporter) report(a *agent) {
	if !r.leading() {
		return
	}
	a.status.PolicyRevision = r.revision
	st := a.status
	if st.Running && len(a.problems)+len(a.withheld)+len(a.overlaps) > 0 {
		if st.RunningReason == "Running" {
			st.RunningReason = "Problems"
		}
		if len(a.withheld) > 0 {
			st.RunningMessage += "; nothing is sent with these:\n" + strings.Join(a.withheld, "\n")
		}
		if len(a.overlaps) > 0 {
			st.RunningMessage += "; other agents write the same fields:\n" + strings.Join(a.overlaps, "\n")
		}
		if len(a.problems) > 0 {
			st.RunningMessage += "; at the last firing:\n" + strings.Join(a.problems, "\n")
		}
	}
	r.write(a.name, st)
}
