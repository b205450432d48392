package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// rolloutPlan is a patch of a workload's pod template.
type rolloutPlan struct {
	Write objectPatch `json:"write"`
}

func (c *Cluster) applyRollout(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[rolloutPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := c.apply(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: "the rollout has begun"}, nil
}

// undoRollout restores the fields.
func (c *Cluster) undoRollout(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[rolloutPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := c.undo(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + change.Diff + ")"}, nil
}

// rolledOut returns the state of a rollout, by the fields that Deployment, StatefulSet and
// DaemonSet report, like kubectl rollout status. A kind that reports none of them is done
// once it is written.
func (c *Cluster) rolledOut(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[rolloutPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	o, err := c.read(ctx, plan.Write)
	if err != nil {
		return engine.Outcome{}, err
	}
	if !same(plan.Write.fields(o), plan.Write.Set) {
		return engine.Outcome{Status: engine.Failed, Detail: "it was written by somebody else since"}, nil
	}
	if outcome, serves := servingState(o); serves {
		return outcome, nil
	}
	if kindOf(o) == rolloutKind {
		if _, restarts := fieldpath.Find(plan.Write.Set, "spec", "restartAt"); restarts {
			return rolloutRestarted(o), nil
		}
		return rolloutUpdated(o), nil
	}
	number := func(path ...string) (int64, bool) {
		n, ok, _ := unstructured.NestedInt64(o.Object, path...)
		return n, ok
	}
	observed, reports := number("status", "observedGeneration")
	if !reports && !strings.HasPrefix(o.GetAPIVersion(), "apps/") { // those do, once their controller has seen the object
		return engine.Outcome{Status: engine.Done, Detail: "written; a " + o.GetKind() + " reports no rollout"}, nil
	}
	want, ok := number("spec", "replicas")
	updatedAt, readyAt := "updatedReplicas", "readyReplicas"
	if o.GetKind() == "DaemonSet" {
		want, ok = number("status", "desiredNumberScheduled")
		updatedAt, readyAt = "updatedNumberScheduled", "numberReady"
	}
	if !ok {
		want = 1
	}
	updated, _ := number("status", updatedAt)
	ready, _ := number("status", readyAt)
	all, has := number("status", "replicas")
	detail := fmt.Sprintf("%d of %d pods new, %d ready", updated, want, ready)
	if observed >= o.GetGeneration() && updated >= want && ready >= want && (!has || all <= want) {
		return engine.Outcome{Status: engine.Done, Detail: detail}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: detail, Obstacle: c.rolloutObstacle(ctx, &change, o)}, nil
}
