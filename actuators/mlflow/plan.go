package mlflow

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// plan is a move of production from one version to another. It holds the time that is written
// to the tracker, so that a repeated attempt writes the same.
type plan struct {
	Model    string          `json:"model"`
	From     string          `json:"from"` // "" for none
	To       string          `json:"to"`
	Alias    string          `json:"alias"`
	Previous string          `json:"previous"`
	Stage    string          `json:"stage,omitempty"`
	Reason   string          `json:"reason"`
	At       time.Time       `json:"at"`
	Agent    string          `json:"agent"`
	Target   engine.TargetID `json:"target"`
	Hops     int             `json:"hops,omitempty"`
}

// newPlan returns a plan with what the proposal determines; the versions are left out.
func (r *Registry) newPlan(p engine.Proposal, model, alias, previous string) plan {
	return plan{
		Model: model, Alias: alias, Previous: previous, Reason: p.Reason, At: r.Now().UTC(), Agent: p.Agent, Target: p.Target.ID(), Hops: p.Hops,
	}
}

func (p *plan) String() string {
	return fmt.Sprintf("%s: %s %s -> %s", p.Model, production{stage: p.Stage}.label(p.Alias), orNone(p.From), p.To)
}

// at returns the plan's time as it is written into tags.
func (p *plan) at() string { return p.At.Format(time.RFC3339) }

// current reads the version in production when the plan is carried out; done reports whether
// it is the plan's new one. The error is ErrMoved if it is neither the old one nor the new one.
func (p *plan) current(ctx context.Context, c *tracker.Client) (now production, done bool, err error) {
	now, err = readProduction(ctx, c, p.Model, p.Alias)
	if err != nil {
		return now, false, err
	}
	if now.version != p.To && now.version != p.From {
		return now, false, fmt.Errorf("%s: %s is %s now: %w", p, now.label(p.Alias), orNone(now.version), ErrMoved)
	}
	return now, now.version == p.To, nil
}
