package mlflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Rollback is the verb `model.rollback`. It puts the version that was replaced last back into
// production, and tags the one that replaced it, so that it is not promoted again.
func Rollback(r *Registry) engine.Actuator { return rollbacker{r} }

var _ engine.Verifier = rollbacker{}

type rollbacker struct{ *Registry }

// Plan finds the version to roll back to.
func (a rollbacker) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.ModelRollback
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	next := a.newPlan(p, w.Model, w.Alias, w.Previous)
	if w.Reason != "" {
		next.Reason = w.Reason
	}
	if err := next.findPrevious(ctx, a.clientOf(p.Agent)); err != nil {
		return engine.Change{}, classify(fmt.Errorf("%s %s: %w", p.Primitive, w.Model, err))
	}
	return engine.Planned(p, false, next.String()+", and "+next.From+" marked as rolled back", next)
}

// findPrevious sets the two versions of the plan.
func (p *plan) findPrevious(ctx context.Context, c *tracker.Client) error {
	now, err := readProduction(ctx, c, p.Model, p.Alias)
	if err != nil {
		return err
	}
	p.From, p.Stage = now.version, now.stage
	if p.From == "" {
		if _, err := c.Model(ctx, p.Model); err != nil {
			return err
		}
		return fmt.Errorf("no version is in production (%s): %w", now.label(p.Alias), ErrNothingBefore)
	}
	if now.stage == "" {
		err = p.previousByAlias(ctx, c)
	} else {
		err = p.previousByStage(ctx, c)
	}
	if err != nil {
		return err
	}
	_, err = readUsable(ctx, c, p.Model, p.To)
	return err
}

// previousByAlias sets To to the version that the previous alias names.
func (p *plan) previousByAlias(ctx context.Context, c *tracker.Client) error {
	v, err := c.VersionByAlias(ctx, p.Model, p.Previous)
	switch {
	case errors.Is(err, tracker.ErrNotFound):
		return fmt.Errorf("no version has the alias %s: %w", p.Previous, ErrNothingBefore)
	case err == nil && v.Version == p.From:
		return fmt.Errorf("the alias %s names version %s, which is in production: %w", p.Previous, p.From, ErrNothingBefore)
	}
	p.To = v.Version
	return err
}

// previousByStage sets To to the version whose tag says that it was archived last: many
// versions may be in the archived stage.
func (p *plan) previousByStage(ctx context.Context, c *tracker.Client) error {
	versions, err := c.SearchVersions(ctx, "name = "+tracker.Literal(p.Model), nil, 0)
	if err != nil {
		return err
	}
	last := ""
	for _, v := range versions {
		at, marked := v.Tags[TagArchived] // RFC 3339 in UTC: in the order of time
		if _, bad := v.Tags[TagRolledBack]; !marked || bad || v.Stage != tracker.StageArchived {
			continue
		}
		if at > last || at == last && number(v.Version) > number(p.To) {
			last, p.To = at, v.Version
		}
	}
	if p.To == "" {
		return fmt.Errorf("no archived version has the tag %s, which model.promote puts there: %w", TagArchived, ErrNothingBefore)
	}
	return nil
}

// Apply tags the bad version before it changes production, so that it is not promoted again in
// between.
func (a rollbacker) Apply(ctx context.Context, ch engine.Change) (engine.Outcome, error) {
	p, err := engine.ReadPlan[plan](ch)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.move(ctx, a.clientOf(p.Agent), &p); err != nil {
		return engine.Outcome{}, classify(fmt.Errorf("%s: %w", ch.Proposal.Primitive, err))
	}
	return a.Verify(ctx, ch)
}

func (a rollbacker) move(ctx context.Context, c *tracker.Client, p *plan) error {
	now, done, err := p.current(ctx, c)
	if err != nil {
		return err
	}
	v, err := readUsable(ctx, c, p.Model, p.To)
	if err != nil {
		return err
	}
	if !done {
		if err := c.SetVersionTag(ctx, p.Model, p.From, TagRolledBack, p.at()); err != nil {
			return err
		}
		if p.Reason != "" {
			if err := c.SetVersionTag(ctx, p.Model, p.From, TagRolledBackReason, p.Reason); err != nil {
				return err
			}
		}
		if err := now.set(ctx, c, p.Model, p.Alias, p.To); err != nil {
			return err
		}
	}
	if err := unarchive(ctx, c, v); err != nil || now.stage != "" {
		return err
	}
	return p.deletePreviousAlias(ctx, c)
}

// deletePreviousAlias deletes the previous alias, unless it names another version by now.
func (p *plan) deletePreviousAlias(ctx context.Context, c *tracker.Client) error {
	v, err := c.VersionByAlias(ctx, p.Model, p.Previous)
	if err == nil && v.Version == p.To {
		err = c.DeleteAlias(ctx, p.Model, p.Previous)
	}
	if errors.Is(err, tracker.ErrNotFound) {
		return nil
	}
	return err
}

// Verify publishes the event.
func (a rollbacker) Verify(ctx context.Context, ch engine.Change) (engine.Outcome, error) {
	p, err := engine.ReadPlan[plan](ch)
	if err != nil {
		return engine.Outcome{}, err
	}
	return a.publish(ctx, &p, p.event(ch.Identity, "rolledback", ModelRolledBack, a.Registry)), nil
}
