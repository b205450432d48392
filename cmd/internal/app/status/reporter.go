// Package status writes the status of the Agent resources: how each spec was judged, what
// runs, what the process lacks for it, and what the agent decided last. It judges no spec.
// Start reading at Reporter; conditions.go has the table of conditions.
package status

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The reasons why an agent is not accepted.
const (
	ReasonInvalid = "Invalid"
	ReasonUnfit   = "UnfitForPolicies"
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
	Hash    string      // engine.Spec.Generation of the spec that runs
	Mode    engine.Mode // of the spec that runs
	// Shown is the status that the cluster shows.
	Shown manifest.Status
}

// shownRuns reports whether the status that the cluster shows is about the spec that runs.
func (j *Judgement) shownRuns() bool {
	return j.Shown.ObservedGeneration == j.Generation && (j.Shown.LastGood == nil) == (j.Refused.Reason == "")
}

// Options configure a Reporter; all are required.
type Options struct {
	// Write sets the status of an agent.
	Write func(types.NamespacedName, agentcr.Status)
	// Leading reports whether this process writes the statuses: one does.
	Leading func() bool
	// May asks the API server whether this process has a right.
	May   func(context.Context, apiclient.Right) (bool, error)
	Clock engine.Clock
}

// Reporter puts together the status of each Agent resource, and reports it when anything
// changed. It observes the firings and the acts of the agents.
//
// The status of an agent that runs is not reported before it is known whether its targets
// can be listed and its Secrets sent (Probed, Withheld), so that none is shown as ready for
// a moment.
type Reporter struct {
	Options
	wake chan struct{}

	mu       sync.Mutex
	agents   map[string]*agent
	revision string
}

var _ engine.StallObserver = (*Reporter)(nil)

// New makes a reporter.
func New(o Options) *Reporter {
	return &Reporter{Options: o, wake: make(chan struct{}, 1), agents: map[string]*agent{}}
}

// Run asks for missing rights, and reports what changes as time passes, until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	for {
		if r.Leading() {
			r.askForRights(ctx)
			r.reportDue()
		}
		var due <-chan time.Time
		stop := func() {}
		if r.waiting() {
			due, stop = r.Clock.Timer(askEvery)
		}
		select {
		case <-ctx.Done():
			stop()
			return
		case <-due:
		case <-r.wake:
			stop()
		}
	}
}

func (r *Reporter) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// waiting reports whether time alone may change a status.
func (r *Reporter) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.agents {
		if len(a.missing) > 0 || a.recentUntil.After(r.Clock.Now()) || a.countsDue || len(a.failures) > 0 {
			return true
		}
	}
	return false
}

// reportDue reports the agents that time has changed.
func (r *Reporter) reportDue() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock.Now()
	for _, a := range r.agents {
		over := !a.recentUntil.IsZero() && !now.Before(a.recentUntil)
		if over {
			a.recentUntil = time.Time{}
		}
		if counts := a.update(now); over || counts {
			r.report(a)
		}
	}
}

// TermBegins forgets what was found while this process led before. Call it before anything
// acts in the new term. Each agent is reported again once it was judged.
func (r *Reporter) TermBegins() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.agents {
		a.termBegins()
	}
}

// Judged records how an agent's spec was judged. Publish writes it.
func (r *Reporter) Judged(name types.NamespacedName, j Judgement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name.String()]
	if a == nil {
		a = newAgent(name)
		r.agents[name.String()] = a
	}
	a.judged(j, r.Clock.Now())
	r.wakeUp()
}

// Withheld records which Secrets of an agent are not sent where the agent wants them, and
// the rights to read Secrets that the process lacks. hash identifies the spec that was checked;
// one that does not run any more is ignored.
func (r *Reporter) Withheld(name, hash string, secrets []string, rights []engine.RightError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name]
	if a == nil || a.hash != hash {
		return
	}
	r.lost(a, rights...)
	if a.secretsKnown && slices.Equal(a.withheld, secrets) {
		return
	}
	a.secretsKnown, a.withheld = true, secrets
	a.setRecent(r.Clock.Now())
	r.wakeUp()
	r.report(a)
}

// Probed records the rights to list an agent's targets and watched objects that the process
// lacks. hash identifies the spec that was probed; one that does not run any more is ignored.
func (r *Reporter) Probed(name, hash string, rights []engine.RightError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name]
	if a == nil || a.hash != hash {
		return
	}
	r.lost(a, rights...)
	if !a.probed {
		a.probed = true
		r.report(a)
	}
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

// report writes the status of an agent, unless something is to be found out first.
func (r *Reporter) report(a *agent) {
	if _, all := a.confirmed(); !all || a.unjudged || !r.Leading() || a.running != nil && (!a.probed || !a.secretsKnown) {
		return
	}
	r.Write(a.name, a.status(r.revision, r.Clock.Now()))
}
