package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// RestartAnnotation, on a pod template, is the identity of the last restart.
const RestartAnnotation = "scanflow.dev/restart"

// Restart is the verb `restart`: it replaces every pod of a workload with a pod template, by
// the workload's own strategy, and of a Rollout by its controller's restart.
func Restart(c *Cluster) engine.Actuator { return restarter{c} }

var _ engine.Verifier = restarter{}

type restarter struct{ *Cluster }

var restartPath = []string{"spec", "template", "metadata", "annotations", RestartAnnotation}

// Plan is a no-op where this change has restarted the pods already.
func (r restarter) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	if err := refuse(p, manifest.DecodeMap(p.With, &verbparams.Restart{})); err != nil {
		return engine.Change{}, err
	}
	t := p.Target
	o, err := r.get(ctx, t.APIVersion, t.Kind, t.Namespace, t.Name)
	if err != nil {
		return engine.Change{}, err
	}
	if kindOf(o.Unstructured) == rolloutKind {
		change, err := r.planRollout(ctx, p, o)
		if err != nil {
			return engine.Change{}, fmt.Errorf("restart %s: %w", t.ID(), err)
		}
		return change, nil
	}
	if err := checkReplaceable(o.Unstructured); err != nil {
		return engine.Change{}, fmt.Errorf("restart %s %s: %w", t.Kind, t.ID(), err)
	}
	last, _, _ := unstructured.NestedString(o.Object, restartPath...)
	set := map[string]any{}
	if err := unstructured.SetNestedField(set, p.Identity, restartPath...); err != nil {
		return engine.Change{}, fmt.Errorf("restart %s: %w", t.ID(), err)
	}
	return engine.Planned(p, p.Identity != "" && last == p.Identity, "replace every pod", rolloutPlan{patchOf(o, "restart", set)})
}

// Apply annotates the template, so that all pods are of an earlier one.
func (r restarter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return r.applyRollout(ctx, c)
}

func (r restarter) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return r.rolledOut(ctx, c)
}
