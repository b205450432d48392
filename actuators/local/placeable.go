package local

import (
	"errors"
	"fmt"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// placeable is an object whose pods, or whose runs to come, can be placed.
type placeable struct {
	declared workflow.Placement // by its YAML
	was      *placeWish
	own      string // a template with an affinity of its own, which counts instead
}

func podPlacementOf(spec *corev1.PodSpec) workflow.Placement {
	return workflow.Placement{NodeSelector: spec.NodeSelector, Affinity: spec.Affinity}
}

func cronPlacementOf(j *batchv1.CronJob) workflow.Placement {
	return podPlacementOf(&j.Spec.JobTemplate.Spec.Template.Spec)
}

// placeableOf finds an object to be placed. mu is held.
func (o *Orchestrator) placeableOf(id objectID) (*placeable, error) {
	switch id.kind {
	case kindDeployment:
		d := o.deploys[id.key]
		if d == nil {
			return nil, o.unknown()
		}
		return &placeable{declared: podPlacementOf(&d.spec.Spec.Template.Spec), was: d.wish.Place}, nil
	case kindWorkflow:
		t := o.templates[id.key]
		if t == nil {
			return nil, fmt.Errorf("there is none; these are: %s", names(keysOf(o.templates)))
		}
		return &placeable{t.Spec.Placement(), o.placements[id], t.Spec.OwnAffinity()}, nil
	case kindCronJob:
		j := o.cronJobs[id.key]
		if j == nil {
			return nil, fmt.Errorf("there is none; these are: %s", names(keysOf(o.cronJobs)))
		}
		return &placeable{declared: cronPlacementOf(j), was: o.placements[id]}, nil
	}
	return nil, fmt.Errorf("the local orchestrator can place a %s, a %s and a %s, and no %s", kindDeployment, kindWorkflow, kindCronJob, id.kind)
}

// hasTemplate reports whether a WorkflowTemplate or a CronJob is there. mu is held.
func (o *Orchestrator) hasTemplate(id objectID) bool {
	return id.kind == kindWorkflow && o.templates[id.key] != nil || id.kind == kindCronJob && o.cronJobs[id.key] != nil
}

// placementsOf are the wishes that the WorkflowTemplates and CronJobs keep; those that
// the YAML has overruled are outdated for good.
func (o *Orchestrator) placementsOf(w Workloads, outdated map[objectID]wish) (map[objectID]*placeWish, error) {
	out := map[objectID]*placeWish{}
	keep := func(id objectID, declared workflow.Placement) error {
		asked, err := o.store.loadWish(id)
		switch {
		case err != nil || asked.Place == nil:
			return err
		case asked.Place.outdated(declared):
			outdated[id] = wish{}
			return nil
		}
		out[id] = asked.Place
		return nil
	}
	var errs []error
	for i := range w.Workflows {
		t := &w.Workflows[i]
		errs = append(errs, keep(objectID{kindWorkflow, keyOf(&t.ObjectMeta)}, t.Spec.Placement()))
	}
	for i := range w.CronJobs {
		j := &w.CronJobs[i]
		errs = append(errs, keep(objectID{kindCronJob, keyOf(&j.ObjectMeta)}, cronPlacementOf(j)))
	}
	return out, errors.Join(errs...)
}

// setPlace writes down where the pods of an object shall go, in place of another wish.
func (o *Orchestrator) setPlace(id objectID, next, was *placeWish) error {
	if id.kind == kindDeployment {
		return o.changeDeployment(id.key, func(_ *deployment, w *wish) error {
			if !w.Place.same(was) && !w.Place.same(next) {
				return errPlacedOtherwise
			}
			w.Place = next.orNone()
			return nil
		})
	}
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	o.mu.Lock()
	now, err := o.placeableOf(id)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	if !now.was.same(was) && !now.was.same(next) {
		return errPlacedOtherwise
	}
	if err := o.store.saveWish(id, wish{Place: next.orNone()}); err != nil {
		return fmt.Errorf("keep what was asked of %s: %w", id, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.placements = maps.Clone(o.placements)
	delete(o.placements, id)
	if next = next.orNone(); next != nil {
		o.placements[id] = next
	}
	o.notifyLocked()
	return nil
}

// errPlacedOtherwise says that there is nothing of ours to put back, or to go on from.
var errPlacedOtherwise = errors.New("it was placed by somebody else since")
