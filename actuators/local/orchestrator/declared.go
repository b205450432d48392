package orchestrator

import (
	"context"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Declared is an engine.Orchestrator of workloads that are not run, for the evaluation of
// agents. A Deployment has the replicas and the model of its YAML, none of the replicas
// ready and none on a node.
func Declared(w Workloads) engine.Orchestrator { return declared{w} }

type declared struct{ w Workloads }

// Fleet returns the fleet that a selector selects.
func (d declared) Fleet(s engine.Selector) (engine.Fleet, error) {
	if err := selectable(s); err != nil {
		return nil, err
	}
	return declaredFleet{d, s}, nil
}

// Workload returns false: nothing runs.
func (declared) Workload(engine.TargetID) (engine.Workload, bool) { return engine.Workload{}, false }

type declaredFleet struct {
	d declared
	s engine.Selector
}

// Targets returns the selected objects in the YAML.
func (f declaredFleet) Targets(context.Context) ([]engine.Target, error) {
	if f.s.Kind != KindDeployment {
		return templateTargets(f.s, byKey(f.d.w.Workflows), byKey(f.d.w.CronJobs)), nil
	}
	var out []engine.Target
	for i := range f.d.w.Deployments {
		spec := &f.d.w.Deployments[i]
		k := keyOf(spec)
		if !isSelected(f.s, k, spec.Labels) {
			continue
		}
		out = append(out, engine.Target{
			APIVersion: "apps/v1", Kind: KindDeployment, Namespace: k.Namespace, Name: k.Name, Labels: spec.Labels,
			Replicas: &engine.Replicas{Desired: declaredReplicas(spec)}, Model: spec.Spec.Template.Annotations[ModelAnnotation], Placement: []string{},
		})
	}
	return out, nil
}
