package turn

import (
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/approval"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// State has the inputs of an agent's decisions besides policies, documents and plans, as JSON: another
// process decides on it as the agent would. It holds no secret.
type State struct {
	Agent      engine.AgentInfo   `json:"agent"`
	Mode       engine.Mode        `json:"mode"`
	Priority   int                `json:"priority"`
	Strategies []string           `json:"strategies"`
	Primitives []string           `json:"primitives"`
	Guards     engine.Guards      `json:"guards"`
	Memory     memory.State       `json:"memory"`
	Claims     []engine.HeldClaim `json:"claims"`
	Approvals  []engine.Approval  `json:"approvals"`
}

// State returns what the turn decides with, as it is now.
func (o *Observation) State() *State {
	a := o.agent
	out := &State{
		Agent: a.Spec.AgentInfo, Mode: a.Spec.Mode, Priority: a.Spec.Priority, Strategies: a.Spec.Strategies, Primitives: a.Spec.Primitives,
		Guards: a.Spec.Guards, Memory: a.Memory.State(), Approvals: a.Approvals.List(),
		Claims: a.Claims.Held(o.in.Now, func(verb string) time.Duration {
			if d := a.Verbs[verb].Deadline; d > 0 {
				return d
			}
			return engine.DefaultActDeadline
		}),
	}
	out.Guards.ApprovalNotify = "" // its query is often a secret, and nobody is notified
	return out
}

// Spec returns the spec of the agent, without what only samples and triggers need.
func (s *State) Spec() engine.Spec {
	return engine.Spec{AgentInfo: s.Agent, Mode: s.Mode, Priority: s.Priority, Strategies: s.Strategies, Primitives: s.Primitives, Guards: s.Guards}
}

// Restore gives an agent the books of a state.
func (a *Agent) Restore(s *State, now time.Time) {
	a.Memory, a.Approvals = memory.FromState(s.Memory), approval.NewBook()
	for _, p := range s.Approvals {
		a.Approvals.Merge(p, now)
	}
	held := map[engine.TargetID][]engine.HeldClaim{}
	for _, c := range s.Claims {
		// A claim of the agent itself whose act ended stays available to it.
		if c.Agent != a.name || c.State == "running" {
			held[c.On()] = append(held[c.On()], c)
		}
	}
	a.Claims = claim.ViewOf(held, a.Spec.Mode == engine.DryRun, a.Spec.Priority)
}

// ObserveDocuments starts a turn on documents that are given, for targets that need not
// exist. There is at least one, and all have the signals of the first.
func (a *Agent) ObserveDocuments(in Input, docs ...*engine.Document) *Observation {
	first := docs[0]
	a.names, in.Trigger, in.Now = first.Names, *first.Trigger, first.Now
	o := &Observation{agent: a, in: in}
	for _, doc := range docs {
		a.Memory.SetDocument(doc.Target.ID(), doc.Memory)
		o.targets = append(o.targets, &target{doc: *doc})
	}
	slices.SortStableFunc(o.targets, func(x, y *target) int { return compareIDs(x.doc.Target.ID(), y.doc.Target.ID()) })
	o.rec = engine.FiringRecord{Agent: a.name, At: first.Now, Trigger: in.Trigger, Revision: in.Revision.ID(), Targets: len(docs)}
	return o
}
