package orchestrator

import (
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// ErrPlacementChanged is the error of a placement that is neither the one that was
// expected nor the one that is to be set.
var ErrPlacementChanged = errors.New("it was placed by somebody else since")

// Placement selects the nodes for the pods of an object: those of a Deployment, or of the
// future runs of a WorkflowTemplate or a CronJob.
type Placement struct {
	Declared workflow.Placement // in the YAML
	Override *PlacementOverride // nil where the placement is the YAML's
	// OwnAffinity names a template of the workflow whose own affinity replaces the
	// workflow's; "" if there is none.
	OwnAffinity string
	Rollout     *Rollout // of a Deployment; nil for the others
}

// Placement returns where the pods of a Deployment, a WorkflowTemplate or a CronJob may run.
func (o *Orchestrator) Placement(id ObjectID) (Placement, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch id.Kind {
	case KindDeployment:
		d, err := o.deploymentLocked(id.NamespacedName)
		if err != nil {
			return Placement{}, err
		}
		now := o.rollout(id.NamespacedName, d)
		return Placement{Declared: podPlacement(&d.spec.Spec.Template.Spec), Override: d.override.Placement, Rollout: &now}, nil
	case KindWorkflow:
		t, err := find(o.templates, id)
		if err != nil {
			return Placement{}, err
		}
		return Placement{Declared: t.Spec.Placement(), Override: o.placements[id], OwnAffinity: t.Spec.OwnAffinity()}, nil
	case KindCronJob:
		j, err := find(o.cronJobs, id)
		if err != nil {
			return Placement{}, err
		}
		return Placement{Declared: cronPlacement(j), Override: o.placements[id]}, nil
	}
	return Placement{}, fmt.Errorf("the local orchestrator can place a %s, a %s and a %s, and no %s", KindDeployment, KindWorkflow, KindCronJob, id.Kind)
}

// SetPlacement sets where the pods of an object may run; next is nil for the YAML's
// placement. The error is ErrPlacementChanged unless it was set to before or is next already.
func (o *Orchestrator) SetPlacement(id ObjectID, next, before *PlacementOverride) error {
	next = next.OrNil()
	if id.Kind == KindDeployment {
		return o.updateDeployment(id.NamespacedName, func(_ *deployment, set *override) error {
			if !set.Placement.Equal(before) && !set.Placement.Equal(next) {
				return ErrPlacementChanged
			}
			set.Placement = next
			return nil
		})
	}
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	now, err := o.Placement(id)
	if err != nil {
		return err
	}
	if !now.Override.Equal(before) && !now.Override.Equal(next) {
		return ErrPlacementChanged
	}
	if err := o.store.saveOverride(id, override{Placement: next}); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.placements, id)
	if next != nil {
		o.placements[id] = next
	}
	o.notifyLocked()
	return nil
}

// loadPlacements reads the overrides of the WorkflowTemplates and CronJobs. Those that the
// YAML replaces are added to outdated.
func (o *Orchestrator) loadPlacements(w Workloads, outdated map[ObjectID]override) (map[ObjectID]*PlacementOverride, error) {
	out := map[ObjectID]*PlacementOverride{}
	load := func(id ObjectID, declared workflow.Placement) error {
		set, err := o.store.loadOverride(id)
		switch {
		case err != nil || set.Placement == nil:
			return err
		case set.Placement.outdated(declared):
			outdated[id] = override{}
			return nil
		}
		out[id] = set.Placement
		return nil
	}
	var errs []error
	for i := range w.Workflows {
		t := &w.Workflows[i]
		errs = append(errs, load(ObjectID{KindWorkflow, keyOf(t)}, t.Spec.Placement()))
	}
	for i := range w.CronJobs {
		j := &w.CronJobs[i]
		errs = append(errs, load(ObjectID{KindCronJob, keyOf(j)}, cronPlacement(j)))
	}
	return out, errors.Join(errs...)
}

func podPlacement(spec *corev1.PodSpec) workflow.Placement {
	return workflow.Placement{NodeSelector: spec.NodeSelector, Affinity: spec.Affinity}
}

func cronPlacement(j *batchv1.CronJob) workflow.Placement {
	return podPlacement(&j.Spec.JobTemplate.Spec.Template.Spec)
}
