package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/reload"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// The methods in this file serve the HTTP API and the metrics. Those with an error return
// ErrStandsBy on a standby.

// ErrStandsBy means that the agents run on another replica.
var ErrStandsBy = errors.New("this replica stands by, and another one leads: ask that one")

// onLeader calls f with the manager, if the agents run here. A leader that was deposed,
// and does not know it yet, answers as a standby.
func onLeader[T any](a *App, f func(*loop.Manager) (T, error)) (T, error) {
	manager := a.lead.Manager()
	if manager == nil {
		var none T
		return none, ErrStandsBy
	}
	out, err := f(manager)
	if errors.Is(err, apiclient.ErrDeposed) || errors.Is(err, ledger.ErrClosed) {
		err = fmt.Errorf("%w (%w)", ErrStandsBy, err)
	}
	return out, err
}

// Agents returns the status of each agent that runs here.
func (a *App) Agents() []loop.AgentStatus {
	if manager := a.lead.Manager(); manager != nil {
		return manager.Agents()
	}
	return []loop.AgentStatus{}
}

// Claims lists what the agents of this process hold of every target.
func (a *App) Claims() ([]engine.HeldClaim, error) {
	return onLeader(a, func(m *loop.Manager) ([]engine.HeldClaim, error) { return m.Claims(), nil })
}

// AllClaims lists Claims, and after them what the agents of the peers hold.
func (a *App) AllClaims() ([]engine.HeldClaim, error) {
	own, err := a.Claims()
	if err != nil {
		return nil, err
	}
	return append(own, a.claims.List()...), nil
}

// Approvals lists the approvals that have not ended, and those that ended since a time.
func (a *App) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	return onLeader(a, func(m *loop.Manager) ([]engine.Approval, error) { return m.Approvals.List(ctx, agent, since) })
}

// Decide records a person's answer to an approval.
func (a *App) Decide(ctx context.Context, id string, approve bool, by, why string) (engine.Approval, error) {
	return onLeader(a, func(m *loop.Manager) (engine.Approval, error) { return m.Approvals.Decide(ctx, id, approve, by, why) })
}

// Letters lists the queued events, and the dead ones.
func (a *App) Messages(ctx context.Context, agent string, limit int) ([]engine.Message, error) {
	return onLeader(a, func(m *loop.Manager) ([]engine.Message, error) { return m.Router.Messages(ctx, agent, limit) })
}

// Waiting counts the queued events, the dead ones, and the approvals that wait.
func (a *App) Waiting(ctx context.Context) (boxes engine.QueueDepths, approvals int, err error) {
	boxes, err = onLeader(a, func(m *loop.Manager) (boxes engine.QueueDepths, err error) {
		if boxes, err = m.Journal.Depths(ctx); err == nil {
			approvals, err = m.Journal.ApprovalsWaiting(ctx, m.Clock.Now())
		}
		return boxes, err
	})
	return boxes, approvals, err
}

// Resend queues dead events again, and returns the ids that it found.
func (a *App) Redeliver(ctx context.Context, ids []string) ([]string, error) {
	return onLeader(a, func(m *loop.Manager) ([]string, error) { return m.Router.Redeliver(ctx, ids) })
}

// Receive queues events from outside.
func (a *App) Receive(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
	if manager := a.lead.Manager(); manager != nil {
		return manager.Router.Receive(ctx, from, events)
	}
	return nil, engine.Retry(ErrStandsBy)
}

// Leading reports whether the agents run here, and on no other replica.
func (a *App) Leading() bool { return a.lead.Leading() }

// Election returns the election that this process takes part in, as it has seen it last; false
// outside of Kubernetes, without an election, and before it has begun.
func (a *App) Election() (lease.Election, bool) {
	if a.cluster == nil {
		return lease.Election{}, false
	}
	return a.cluster.leader.Election()
}

// Unready lists why a process that serves a cluster can't take over, and why nobody leads. It
// is empty for a standby that can while another leads, and outside of Kubernetes.
func (a *App) Unready() []string {
	if a.cluster == nil {
		return nil
	}
	var why []string
	for _, err := range []error{a.cluster.source.Fault(), a.cluster.leader.Fault(), a.cluster.leader.Unled()} {
		if err != nil {
			why = append(why, err.Error())
		}
	}
	return why
}

// ReloadStatus returns how the reloads of manifests and workloads went.
func (a *App) ReloadStatus() reload.Status {
	if a.reloader == nil {
		return reload.Status{}
	}
	return a.reloader.Status()
}

// OnOverrun is closed when the process has to restart: an evaluation goes on after its
// deadline, and only the end of the process ends it.
func (a *App) OnOverrun() <-chan struct{} { return a.recovery.OnOverrun() }

// Quarantine lists the strategies and guards of the live policies that are not evaluated.
func (a *App) Quarantine() []policy.Quarantined {
	return a.recovery.Quarantined(a.Policies.Live().ID())
}

// PreviewReport has the decisions that an agent that runs here would make now, as the API shows them.
type PreviewReport struct {
	loop.Preview
	State *turn.State
	// Schema is that of the agent's documents, Guards that of the guards' input; local policies
	// are compiled against them.
	Schema, Guards json.RawMessage
}

// Preview decides as the next firing of an agent would now. Nothing is done and nothing is
// written.
func (a *App) Preview(ctx context.Context, agent string) (PreviewReport, error) {
	return onLeader(a, func(m *loop.Manager) (PreviewReport, error) {
		p, state, err := m.Preview(ctx, agent)
		if err != nil {
			return PreviewReport{}, err
		}
		out := PreviewReport{Preview: p, State: state}
		trial := agentcheck.Trial(a.runningAgents(), nil)
		out.Guards = trial.Guards
		for _, s := range trial.Subjects {
			if s.Agent == agent {
				out.Schema = s.Schema
			}
		}
		return out, nil
	})
}
