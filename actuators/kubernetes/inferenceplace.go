package kubernetes

import (
	"context"

	"github.com/scanflow-k8s/scanflow/engine"
)

// placesServing adds to the plan of `place` the revision that an InferenceService has before
// it. Other kinds report on their rollout by themselves.
func (c *Cluster) placesServing(ctx context.Context, p engine.Proposal, change engine.Change) (engine.Change, error) {
	if change.NoOp || !isInferenceService(p.Target.APIVersion, p.Target.Kind) {
		return change, nil
	}
	plan, err := engine.ReadPlan[servingPlan](change)
	if err != nil {
		return engine.Change{}, err
	}
	o, err := c.read(ctx, plan.Write)
	if err != nil {
		return engine.Change{}, err
	}
	plan.NewRevision = true // the terms are part of the pods' template
	if plan.Revision, err = c.servingRevision(ctx, o); err != nil {
		return engine.Change{}, err
	}
	return engine.Planned(p, false, change.Diff, plan)
}

// placed returns the state of a planned placement.
func (c *Cluster) placed(ctx context.Context, change engine.Change, w objectPatch) (engine.Outcome, error) {
	if !isInferenceService(w.APIVersion, w.Kind) {
		return c.rolledOut(ctx, change)
	}
	plan, err := engine.ReadPlan[servingPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	return c.served(ctx, plan)
}
