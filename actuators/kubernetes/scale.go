package kubernetes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Scale is the verb `scale`: it sets the replicas of anything with a scale subresource.
func Scale(c *Cluster) engine.Actuator { return scaler{c} }

var _ engine.Verifier = scaler{}

type scaler struct{ *Cluster }

type scalePlan struct {
	Write    objectPatch `json:"write"`
	Replicas int         `json:"replicas"`
}

// Plan uses the View only, so it sends no request.
func (s scaler) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Scale
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	if isInferenceService(p.Target.APIVersion, p.Target.Kind) {
		return s.planInference(ctx, p, w)
	}
	id := p.Target.ID()
	now, ok := s.View.Scalable(id)
	if !ok {
		return engine.Change{}, s.notScalable(p.Target)
	}
	plan := scalePlan{Replicas: w.Replicas, Write: objectPatch{
		APIVersion: now.Mapping.GroupVersionKind.GroupVersion().String(), Kind: id.Kind, Namespace: id.Namespace, Name: id.Name, Subresource: "scale",
		ResourceVersion: now.ResourceVersion, UID: now.UID, Manager: managerOf("scale"),
		Set: replicas(w.Replicas), Before: replicas(now.Desired),
	}}
	diff := fmt.Sprintf("replicas %d -> %d", now.Desired, w.Replicas)
	if now.Unset {
		diff = fmt.Sprintf("replicas unset (%d there) -> %d", now.Desired, w.Replicas)
		// The scale subresource can't be read before it has replicas, so a conflict could not
		// be resolved.
		plan.Write.ResourceVersion, plan.Write.Before = "", nil
	}
	if now.Desired == w.Replicas && (!now.Unset || now.CurrentKnown) {
		return engine.Planned(p, true, diff, plan)
	}
	owner, owned, err := s.View.AutoscalerOf(ctx, id)
	if err != nil {
		return engine.Change{}, fmt.Errorf("scale %s: %w", id, err)
	}
	if owned {
		fix := "use the primitive `autoscaler`, which changes its bounds, or delete it"
		if owner.Pause.Whole {
			fix = "to resume it: " + owner.Pause.Resume(owner.Namespace, owner.Name) + "; then " + fix
		}
		return engine.Change{}, &OwnedError{Field: "spec.replicas of " + id.String(), Owner: owner.String(), Fix: fix}
	}
	from, err := s.mayTakeOver("replicas", now.ReplicaOwners, p, now.Annotations)
	if err != nil {
		return engine.Change{}, err
	}
	return planned(p, diff+takeOverNote(from), plan, []string{from})
}

func replicas(n int) map[string]any { return map[string]any{"spec": map[string]any{"replicas": n}} }

func (s scaler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[scalePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := s.apply(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("replicas set to %d", plan.Replicas)}, nil
}

// Verify is done once the View shows the wanted number of ready replicas.
func (s scaler) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[scalePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if isInferenceService(plan.Write.APIVersion, plan.Write.Kind) {
		return s.verifyInference(ctx, c)
	}
	now, ok := s.View.Scalable(engine.TargetID{Kind: plan.Write.Kind, Namespace: plan.Write.Namespace, Name: plan.Write.Name})
	switch {
	case !ok || now.ResourceVersion != plan.Write.ResourceVersion && now.Desired != plan.Replicas:
		return s.readAgain(ctx, plan)
	case now.ResourceVersion == plan.Write.ResourceVersion || now.Unset: // the informer has not seen the write yet
		return unseen(), nil
	}
	done, detail := scaleProgress(now, plan.Replicas)
	if done {
		return engine.Outcome{Status: engine.Done, Detail: detail}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: detail, Obstacle: s.scaleObstacle(ctx, &c, plan.Write, &now)}, nil
}

// notScalable is the error for a target whose replicas can't be set.
func (s scaler) notScalable(t engine.Target) error {
	there, scalable := s.View.Follows(t.ID())
	switch {
	case !there:
		return fmt.Errorf("scale %s %s: there is no such object any more", t.Kind, t.ID())
	case scalable:
		return fmt.Errorf("scale %s %s: it is being deleted", t.Kind, t.ID())
	}
	return fmt.Errorf("scale %s %s: %s of %s has no scale subresource, so it has no replicas to set; use the primitive `apply` for its own fields, or select the objects that it makes", t.Kind, t.ID(), withArticle(t.Kind), t.APIVersion)
}

func unseen() engine.Outcome {
	return engine.Outcome{Status: engine.Running, Detail: "replicas set, and not seen yet"}
}

// readAgain asks the API server where the View shows other replicas or no object. The View
// may be behind or no longer follow the kind, and the patch may have gone to a newer version
// than the planned one.
func (s scaler) readAgain(ctx context.Context, plan scalePlan) (engine.Outcome, error) {
	o, err := s.read(ctx, plan.Write)
	switch {
	case apierrors.IsNotFound(err):
		return engine.Outcome{Status: engine.Failed, Detail: "the object was deleted"}, nil
	case err != nil:
		return unseen(), err
	case same(plan.Write.fields(o), plan.Write.wanted()):
		return unseen(), nil
	}
	desired, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("replicas were set to %d by somebody else", desired)}, nil
}
