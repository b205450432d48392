package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
)

// The methods in this file serve the HTTP API. All but Agents return ErrStandsBy on a
// standby.

// ErrStandsBy means that the agents run on another replica.
var ErrStandsBy = errors.New("this replica stands by, and another one leads: ask that one")

// leading returns the manager, if the agents run here.
func (a *App) leading() (*engine.Host, error) {
	if manager := a.lead.Manager(); manager != nil {
		return manager, nil
	}
	return nil, ErrStandsBy
}

// deposed turns the error of a leader that was deposed, and does not know it yet, into
// that of a standby.
func deposed(err error) error {
	if errors.Is(err, apiclient.ErrDeposed) || errors.Is(err, ledger.ErrClosed) {
		return fmt.Errorf("%w (%w)", ErrStandsBy, err)
	}
	return err
}

// Agents returns the status of each agent that runs here.
func (a *App) Agents() []engine.AgentStatus {
	if manager := a.lead.Manager(); manager != nil {
		return manager.Agents()
	}
	return []engine.AgentStatus{}
}

// Claims lists what the agents of this process hold of every target.
func (a *App) Claims() ([]engine.HeldClaim, error) {
	manager, err := a.leading()
	if err != nil {
		return nil, err
	}
	return manager.Claims(), nil
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
	manager, err := a.leading()
	if err != nil {
		return nil, err
	}
	list, err := manager.Approvals(ctx, agent, since)
	return list, deposed(err)
}

// Decide records a person's answer to an approval.
func (a *App) Decide(ctx context.Context, id string, approve bool, by, why string) (engine.Approval, error) {
	manager, err := a.leading()
	if err != nil {
		return engine.Approval{}, err
	}
	approval, err := manager.Decide(ctx, id, approve, by, why)
	return approval, deposed(err)
}

// Letters lists the queued events, and the dead ones.
func (a *App) Letters(ctx context.Context, agent string, limit int) ([]engine.Letter, error) {
	manager, err := a.leading()
	if err != nil {
		return nil, err
	}
	letters, err := manager.Letters(ctx, agent, limit)
	return letters, deposed(err)
}

// Waiting counts the queued events, the dead ones, and the approvals that wait.
func (a *App) Waiting(ctx context.Context) (boxes engine.Boxes, approvals int, err error) {
	manager, err := a.leading()
	if err != nil {
		return boxes, 0, err
	}
	if boxes, err = manager.Journal.Boxes(ctx); err == nil {
		approvals, err = manager.Journal.ApprovalsWaiting(ctx, manager.Clock.Now())
	}
	return boxes, approvals, deposed(err)
}

// Resend queues dead events again, and returns the ids that it found.
func (a *App) Resend(ctx context.Context, ids []string) ([]string, error) {
	manager, err := a.leading()
	if err != nil {
		return nil, err
	}
	found, err := manager.Resend(ctx, ids)
	return found, deposed(err)
}

// Receive queues events from outside.
func (a *App) Receive(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
	manager, err := a.leading()
	if err != nil {
		return nil, engine.Retry(err)
	}
	return manager.Receive(ctx, from, events)
}
