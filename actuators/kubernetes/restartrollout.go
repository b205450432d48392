package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// A Rollout of Argo Rollouts restarts by spec.restartAt: its controller evicts, a few at a
// time, each pod that is older. The pod template stays, so no canary begins, and the template
// may be another object's (spec.workloadRef).

// planRollout plans the restart of a Rollout. The identity is in an annotation of the Rollout,
// because a time identifies nothing.
func (r restarter) planRollout(ctx context.Context, p engine.Proposal, o *object) (engine.Change, error) {
	mark := map[string]any{"metadata": map[string]any{"annotations": map[string]any{RestartAnnotation: p.Identity}}}
	if p.Identity != "" && o.GetAnnotations()[RestartAnnotation] == p.Identity {
		return engine.Planned(p, true, "replace every pod", rolloutPlan{patchOf(o, "restart", mark)})
	}
	at, err := r.serverTime(ctx, o, mark)
	if err != nil {
		return engine.Change{}, err
	}
	text := at.UTC().Format(time.RFC3339)
	set := merge(mark, map[string]any{"spec": map[string]any{"restartAt": text}})
	return engine.Planned(p, false, fmt.Sprintf("replace every pod that is older than %s (spec.restartAt)", text), rolloutPlan{patchOf(o, "restart", set)})
}

// serverTime returns the API server's time, which the ages of pods are measured by. A dry run
// of the patch has it in managedFields, and fails where the patch would.
func (r restarter) serverTime(ctx context.Context, o *object, set map[string]any) (time.Time, error) {
	would, err := r.dryRun(ctx, o, patchOf(o, "restart", set))
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range (&unstructured.Unstructured{Object: would}).GetManagedFields() {
		if e.Manager == managerOf("restart") && e.Time != nil {
			return e.Time.Time, nil
		}
	}
	return r.Clock.Now(), nil
}

// rolloutRestarted returns the state of a Rollout's restart, which its controller ends by
// status.restartedAt.
func rolloutRestarted(o *unstructured.Unstructured) engine.Outcome {
	at := fieldpath.Text(o.Object, "spec", "restartAt")
	wanted, _ := time.Parse(time.RFC3339, at)
	restarted, err := time.Parse(time.RFC3339, fieldpath.Text(o.Object, "status", "restartedAt"))
	ready, _ := fieldpath.Int(o.Object, "status", "readyReplicas")
	all, _ := fieldpath.Int(o.Object, "status", "replicas")
	detail := fmt.Sprintf("%d of %d pods ready", ready, all)
	if err == nil && !restarted.Before(wanted) && ready >= all {
		return engine.Outcome{Status: engine.Done, Detail: "every pod is younger than " + at + ", " + detail}
	}
	return engine.Outcome{Status: engine.Running, Detail: "pods older than " + at + " are being replaced, " + detail, Obstacle: rolloutObstacle(o)}
}

// rolloutObstacle returns why a Rollout does not go on, or "".
func rolloutObstacle(o *unstructured.Unstructured) string {
	phase, message := fieldpath.Text(o.Object, "status", "phase"), fieldpath.Text(o.Object, "status", "message")
	if phase != "Paused" && phase != "Degraded" {
		return ""
	}
	return fmt.Sprintf("the Rollout is %s: %s", phase, cmp.Or(message, "it gives no reason"))
}

// rolloutUpdated returns the state of a Rollout whose pod template was changed. Healthy is the
// phase of one whose pods are all of the new template.
func rolloutUpdated(o *unstructured.Unstructured) engine.Outcome {
	updated, _ := fieldpath.Int(o.Object, "status", "updatedReplicas")
	ready, _ := fieldpath.Int(o.Object, "status", "readyReplicas")
	all, _ := fieldpath.Int(o.Object, "status", "replicas")
	phase := fieldpath.Text(o.Object, "status", "phase")
	detail := fmt.Sprintf("%d of %d pods new, %d ready; the Rollout is %s", updated, all, ready, cmp.Or(phase, "not seen by its controller"))
	if aborted, _, _ := unstructured.NestedBool(o.Object, "status", "abort"); aborted {
		return engine.Outcome{Status: engine.Failed, Detail: detail + ", and was aborted: " + fieldpath.Text(o.Object, "status", "message")}
	}
	seen := observesGeneration(o)
	if seen && phase == "Healthy" {
		return engine.Outcome{Status: engine.Done, Detail: detail}
	}
	out := engine.Outcome{Status: engine.Running, Detail: detail}
	if seen {
		out.Obstacle = rolloutObstacle(o)
	}
	return out
}

// observesGeneration reports whether a Rollout's status is about its present generation. The
// field is text there, and was a hash before 1.0.
func observesGeneration(o *unstructured.Unstructured) bool {
	text := fieldpath.Text(o.Object, "status", "observedGeneration")
	observed, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text != ""
	}
	return observed >= o.GetGeneration()
}
