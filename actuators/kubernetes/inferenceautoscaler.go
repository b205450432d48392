package kubernetes

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// planInference sets the predictor's bounds. KServe makes the autoscaler itself, and puts back
// what others write into it.
func (b autoscalerVerb) planInference(ctx context.Context, p engine.Proposal, w verbparams.Autoscaler) (engine.Change, error) {
	id := p.Target.ID()
	if err := refuse(p, inferenceMistakes(w)); err != nil {
		return engine.Change{}, err
	}
	o, err := b.get(ctx, p.Target.APIVersion, p.Target.Kind, id.Namespace, id.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("autoscaler %s: %w", id, err)
	}
	fields, err := boundsToWrite(o.Object, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("autoscaler %s %s: %w", inferenceKind, id, err)
	}
	plan, change, err := b.planBounds(ctx, p, o, fields)
	if err != nil || change.NoOp {
		return change, err
	}
	return engine.Planned(p, false, change.Diff, plan)
}

// inferenceMistakes returns the parameters that have no effect on an InferenceService.
func inferenceMistakes(w verbparams.Autoscaler) (mistakes []string) {
	for _, f := range []struct {
		name string
		set  bool
	}{{"kind", w.Kind != ""}, {"name", w.Name != ""}, {"metrics", w.Metrics != nil}, {"triggers", w.Triggers != nil}} {
		if f.set {
			mistakes = append(mistakes, "with."+f.name+": has no effect on an InferenceService, whose autoscaler KServe makes from the predictor; leave it out")
		}
	}
	return mistakes
}

// boundsToWrite returns the fields of the predictor for the given bounds.
func boundsToWrite(o map[string]any, w verbparams.Autoscaler) (map[string]any, error) {
	now, err := boundsOf(o)
	switch {
	case err != nil:
		return nil, err
	case now.class == noneClass:
		return nil, errors.New("has the autoscaler class none, so it has no autoscaler; use scale, or remove the annotation " + autoscalerClassAnnotation)
	}
	set := map[string]any{}
	if w.Min != nil {
		if *w.Min == 0 && now.class == hpaClass {
			return nil, errors.New("with.min: a HorizontalPodAutoscaler keeps at least 1 replica, and KServe raises 0 to that; use 1")
		}
		now.min, set["minReplicas"] = *w.Min, int64(*w.Min)
	}
	if w.Max != nil {
		now.max, now.hasMax, set["maxReplicas"] = *w.Max, true, int64(*w.Max)
	}
	if now.hasMax && now.min > now.max {
		return nil, fmt.Errorf("would have a min of %d above its max of %d; set both", now.min, now.max)
	}
	return set, nil
}

// verifyInference is done once the autoscaler that KServe makes has the bounds, or the revision
// with them is ready.
func (b autoscalerVerb) verifyInference(ctx context.Context, c engine.Change, o *object) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[servingPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	bounds, err := boundsOf(o.Object)
	if err != nil {
		return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("%s %s", plan.Write, err)}, nil
	}
	if bounds.mode == knativeMode {
		if out := revisionReady(o.Object, plan); out.Status != engine.Done {
			out.Obstacle = failedModel(o.Object)
			return out, nil
		}
		return engine.Outcome{Status: engine.Done, Detail: "the newest revision has the bounds"}, nil
	}
	return b.boundsTaken(ctx, o, bounds)
}

// boundsTaken reads the autoscaler that KServe makes of the predictor. It takes replicas of
// canaries out of the fewest.
func (b autoscalerVerb) boundsTaken(ctx context.Context, o *object, bounds inferenceBounds) (engine.Outcome, error) {
	kind := verbparams.HorizontalPodAutoscaler
	if bounds.class == kedaClass {
		kind = verbparams.ScaledObject
	}
	names := fieldsOf(kind)
	name := predictorService(o.GetName(), stableName(o.Object))
	scaler, err := b.get(ctx, names.apiVersion, kind, o.GetNamespace(), name)
	if apierrors.IsNotFound(err) {
		return running(fmt.Sprintf("KServe has not made the %s %s yet", kind, name)), nil
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	low, _ := fieldpath.Int(scaler.Object, "spec", names.min)
	high, _ := fieldpath.Int(scaler.Object, "spec", names.max)
	wantHigh := max(bounds.max, bounds.min)
	least := max(bounds.min-canaryReplicas(o.Object, bounds.min), min(bounds.min, 1))
	detail := fmt.Sprintf("%s %s has %d to %d replicas", kind, name, low, high)
	if int(low) < least || int(low) > bounds.min || int(high) != wantHigh {
		return running(fmt.Sprintf("%s, and shall have %d to %d", detail, bounds.min, wantHigh)), nil
	}
	return engine.Outcome{Status: engine.Done, Detail: detail}, nil
}
