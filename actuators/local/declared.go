package local

import (
	"context"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Declared is the Orchestrator of workloads that are only written down, for looking at
// agents where nothing is to be started. A Deployment has the replicas and the model
// that its YAML says, none of them ready and on no node, and no state as a workload.
func Declared(w Workloads) engine.Orchestrator { return declared{w} }

type declared struct{ w Workloads }

// Fleet finds the objects that a selector names.
func (d declared) Fleet(s engine.Selector) (engine.Fleet, error) {
	if err := selectable(s); err != nil {
		return nil, err
	}
	return declaredFleet{d, s}, nil
}

// Workload knows nothing of any: nothing runs.
func (declared) Workload(engine.TargetID) (engine.Workload, bool) { return engine.Workload{}, false }

type declaredFleet struct {
	d declared
	s engine.Selector
}

// Targets are the objects as they are written down.
func (f declaredFleet) Targets(context.Context) ([]engine.Target, error) {
	if f.s.Kind != kindDeployment {
		return templateTargets(f.s, byKey(f.d.w.Workflows), byKey(f.d.w.CronJobs)), nil
	}
	var out []engine.Target
	for i := range f.d.w.Deployments {
		spec := &f.d.w.Deployments[i]
		k := keyOf(&spec.ObjectMeta)
		if !isSelected(f.s, k, spec.Labels) {
			continue
		}
		out = append(out, engine.Target{
			APIVersion: "apps/v1", Kind: kindDeployment, Namespace: k.namespace, Name: k.name, Labels: spec.Labels,
			Replicas: &engine.Replicas{Desired: desiredOf(spec)}, Model: spec.Spec.Template.Annotations[ModelAnnotation], Placement: []string{},
		})
	}
	return out, nil
}
