package mlflow

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Promote is the verb `model.promote`. It puts a version of a registered model into production
// and records the replaced one, for model.rollback.
func Promote(r *Registry) engine.Actuator { return promoter{r} }

var _ engine.Verifier = promoter{}

type promoter struct{ *Registry }

// Plan reads the version, and the one in production.
func (a promoter) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.ModelPromote
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	c := a.clientOf(p.Agent)
	v, err := readUsable(ctx, c, w.Model, w.Version)
	if err != nil {
		return engine.Change{}, classify(fmt.Errorf("%s: %w", p.Primitive, err))
	}
	now, err := readProduction(ctx, c, w.Model, w.Alias)
	if err != nil {
		return engine.Change{}, classify(fmt.Errorf("%s: %w", p.Primitive, err))
	}
	next := a.newPlan(p, w.Model, w.Alias, w.Previous)
	next.From, next.To, next.Stage = now.version, v.Version, now.stage
	if next.From == next.To {
		return engine.Planned(p, true, fmt.Sprintf("%s: %s is %s already", w.Model, now.label(w.Alias), next.To), next)
	}
	return engine.Planned(p, false, next.String(), next)
}

// Apply writes the production alias last: until then the old version is served.
func (a promoter) Apply(ctx context.Context, ch engine.Change) (engine.Outcome, error) {
	p, err := engine.ReadPlan[plan](ch)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.move(ctx, a.clientOf(p.Agent), &p); err != nil {
		return engine.Outcome{}, classify(fmt.Errorf("%s: %w", ch.Proposal.Primitive, err))
	}
	return a.Verify(ctx, ch)
}

func (a promoter) move(ctx context.Context, c *tracker.Client, p *plan) error {
	now, done, err := p.current(ctx, c)
	if err != nil || done { // by an earlier attempt
		return err
	}
	v, err := readUsable(ctx, c, p.Model, p.To)
	if err != nil {
		return err
	}
	if p.From != "" {
		if now.stage == "" {
			if err := c.SetAlias(ctx, p.Model, p.Previous, p.From); err != nil {
				return err
			}
		}
		if err := c.SetVersionTag(ctx, p.Model, p.From, TagArchived, p.at()); err != nil {
			return err
		}
	}
	if err := unarchive(ctx, c, v); err != nil {
		return err
	}
	return now.set(ctx, c, p.Model, p.Alias, p.To)
}

// Verify publishes the event.
func (a promoter) Verify(ctx context.Context, ch engine.Change) (engine.Outcome, error) {
	p, err := engine.ReadPlan[plan](ch)
	if err != nil {
		return engine.Outcome{}, err
	}
	return a.publish(ctx, &p, p.event(ch.Identity, "promoted", ModelPromoted, a.Registry)), nil
}
