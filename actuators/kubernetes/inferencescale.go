package kubernetes

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// inferenceScalePlan is the plan of `scale` for an InferenceService, which has no scale
// subresource.
type inferenceScalePlan struct {
	servingPlan
	Replicas int `json:"replicas"`
}

// planInference sets both bounds, so that KServe's autoscaler has one number to keep to. Where
// it has a range, the range is its owner's.
func (s scaler) planInference(ctx context.Context, p engine.Proposal, w verbparams.Scale) (engine.Change, error) {
	id := p.Target.ID()
	o, err := s.get(ctx, p.Target.APIVersion, p.Target.Kind, id.Namespace, id.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("scale %s: %w", id, err)
	}
	fail := func(err error) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("scale %s %s: %w", inferenceKind, id, err)
	}
	bounds, err := boundsOf(o.Object)
	if err != nil {
		return fail(err)
	}
	if !bounds.fixed() {
		return engine.Change{}, &OwnedError{
			Field: "spec.predictor.minReplicas of " + id.String(), Owner: bounds.String(),
			Fix: "use the primitive `autoscaler`, which changes its bounds, or set minReplicas and maxReplicas to one number, which `scale` then changes",
		}
	}
	fields, err := bounds.scaleTo(w.Replicas)
	if err != nil {
		return fail(err)
	}
	plan, change, err := s.planBounds(ctx, p, o, fields)
	if err != nil || change.NoOp {
		return change, err
	}
	return engine.Planned(p, false, fmt.Sprintf("replicas %d -> %d: %s", bounds.min, w.Replicas, change.Diff), inferenceScalePlan{plan, w.Replicas})
}

// planBounds plans to write fields of the predictor, which make another revision in Knative
// mode.
func (c *Cluster) planBounds(ctx context.Context, p engine.Proposal, o *object, fields map[string]any) (servingPlan, engine.Change, error) {
	set := map[string]any{"spec": map[string]any{"predictor": fields}}
	change, err := c.planPatch(ctx, p, o, patchOf(o, p.Primitive, merge(appliedAs(o, managerOf(p.Primitive)), set)))
	if err != nil || change.NoOp {
		return servingPlan{}, change, err
	}
	plan, err := engine.ReadPlan[servingPlan](change)
	if err != nil {
		return servingPlan{}, engine.Change{}, err
	}
	plan.Revision, plan.NewRevision = fieldpath.Text(o.Object, "status", "components", "predictor", "latestCreatedRevision"), true
	return plan, change, nil
}

// verifyInference is done once KServe reports as many ready pods of the predictor.
func (s scaler) verifyInference(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[inferenceScalePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	o, err := s.get(ctx, plan.Write.APIVersion, plan.Write.Kind, plan.Write.Namespace, plan.Write.Name)
	if err != nil {
		return engine.Outcome{}, err
	}
	if !same(plan.Write.fields(o.Unstructured), plan.Write.wanted()) {
		return overwritten(plan.Write), nil
	}
	ready, has := fieldpath.Int(o.Object, "status", "modelStatus", "copies", "totalCopies")
	out := running(fmt.Sprintf("%d of %d ready", ready, plan.Replicas))
	least := max(plan.Replicas-canaryReplicas(o.Object, plan.Replicas), min(plan.Replicas, 1))
	switch {
	case !has:
		out = running("KServe does not report the predictor's pods in status.modelStatus.copies yet")
	case int(ready) >= least && int(ready) <= plan.Replicas:
		if out = revisionReady(o.Object, plan.servingPlan); out.Status == engine.Done {
			out = inferenceReady(o.Object, fmt.Sprintf("%d of %d ready", ready, plan.Replicas))
		}
	}
	if out.Status == engine.Running {
		out.Obstacle = failedModel(o.Object)
	}
	return out, nil
}

// revisionReady is done once the newest revision is ready, in Knative mode; else at once.
func revisionReady(o map[string]any, plan servingPlan) engine.Outcome {
	if servingModeOf(o) != knativeMode {
		return engine.Outcome{Status: engine.Done}
	}
	created := fieldpath.Text(o, "status", "components", "predictor", "latestCreatedRevision")
	switch {
	case plan.NewRevision && created == plan.Revision:
		return running("KServe has made no revision of it yet; the newest is " + created)
	case created == "" || created != fieldpath.Text(o, "status", "components", "predictor", "latestReadyRevision"):
		return running(fmt.Sprintf("revision %s is not ready%s", created, conditionDetail(inferenceCondition(o, "PredictorReady"))))
	}
	return engine.Outcome{Status: engine.Done}
}
