package mlflow

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// plan is a move of production from one version to another. Its time is written to
// the tracker, so that an act done twice writes the same.
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

// newPlan is what a move of a model takes over from a proposal.
func (r *Registry) newPlan(p engine.Proposal, model, alias, previous string) plan {
	return plan{
		Model: model, Alias: alias, Previous: previous, Reason: p.Reason, At: r.Now().UTC(), Agent: p.Agent, Target: p.Target.ID(), Hops: p.Hops,
	}
}

func (p *plan) String() string {
	return fmt.Sprintf("%s: %s %s -> %s", p.Model, production{stage: p.Stage}.called(p.Alias), orNone(p.From), p.To)
}

// at is the plan's time as a tag has it.
func (p *plan) at() string { return p.At.Format(time.RFC3339) }

// stand reads where the model stands when the plan is carried out. It is an ErrMoved
// where that is neither where the plan begins nor where it ends.
func (p *plan) stand(ctx context.Context, c *tracker.Client) (now production, there bool, err error) {
	now, err = look(ctx, c, p.Model, p.Alias)
	if err != nil {
		return now, false, err
	}
	if now.version != p.To && now.version != p.From {
		return now, false, fmt.Errorf("%s: %s is %s now: %w", p, now.called(p.Alias), orNone(now.version), ErrMoved)
	}
	return now, now.version == p.To, nil
}
