package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/onepod"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// RestartAnnotation, on a pod template, is the identity of the last restart.
const RestartAnnotation = "scanflow.dev/restart"

// Restart is the verb `restart`: it replaces every pod of a workload with a pod template, by
// the workload's own strategy, and of a Rollout by its controller's restart. With a pod it
// evicts that one alone.
func Restart(c *Cluster) engine.Actuator { return restarter{c} }

var _ engine.Resumer = restarter{}

type restarter struct{ *Cluster }

var restartPath = []string{"spec", "template", "metadata", "annotations", RestartAnnotation}

// Plan is a no-op where this change has restarted the pods already.
func (r restarter) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var with verbparams.Restart
	if err := refuse(p, manifest.DecodeMap(p.With, &with)); err != nil {
		return engine.Change{}, err
	}
	if with.Pod != nil {
		return r.planPod(ctx, p, *with.Pod)
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
	if ofOnePod(&c) {
		return r.applyPod(ctx, c)
	}
	return r.applyRollout(ctx, c)
}

func (r restarter) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if ofOnePod(&c) {
		return r.verifyPod(ctx, c)
	}
	return r.rolledOut(ctx, c)
}

// Resume reports whether the pods are being replaced already. Another pod of the same name is
// not the one that the change is for.
func (r restarter) Resume(ctx context.Context, c engine.Change) (begun bool, err error) {
	if !ofOnePod(&c) {
		change, err := r.Plan(ctx, c.Proposal)
		if engine.IsRetryable(err) {
			return false, err
		}
		return err == nil && change.NoOp, nil
	}
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return false, err
	}
	pods, _, err := r.podsOfTarget(ctx, c.Target)
	if err != nil {
		if engine.IsRetryable(err) {
			return false, err
		}
		return false, nil // there is no such target any more
	}
	there, terminates := onepod.State(pods, plan.UID)
	return !there || terminates, nil
}

// ofOnePod reports whether a restart is of one pod.
func ofOnePod(c *engine.Change) bool { return c.With["pod"] != nil }
