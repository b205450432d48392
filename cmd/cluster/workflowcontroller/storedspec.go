package workflowcontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// storedSpecField is the status field for the specification of a Workflow: its own, merged
// over that of its template. Argo's controller stores it when the Workflow starts, and
// creates all pods by it (setStoredWfSpec and setExecWorkflow in
// workflow/controller/operator.go, addSchedulingConstraints in workflowpod.go, v3.7).
const storedSpecField = "storedWorkflowTemplateSpec"

// mergedSpec merges a Workflow's specification over its template's. Objects are merged
// recursively, and other values are replaced.
func mergedSpec(template, workflowSpec map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(template)
	workflowSpec = maps.Clone(workflowSpec)
	delete(workflowSpec, "workflowTemplateRef")
	mergeInto(out, workflowSpec)
	return out
}

func mergeInto(into, overrides map[string]any) {
	for name, value := range overrides {
		above, is := value.(map[string]any)
		below, was := into[name].(map[string]any)
		if is && was {
			mergeInto(below, above)
			continue
		}
		into[name] = runtime.DeepCopyJSONValue(value)
	}
}

// storedSpec returns the stored specification of a Workflow; nil if there is none yet.
func storedSpec(o *unstructured.Unstructured) map[string]any {
	spec, _, _ := unstructured.NestedMap(o.Object, "status", storedSpecField)
	return spec
}

// placementIn returns the placement of a specification or of one of its templates.
func placementIn(part map[string]any) (workflow.Placement, error) {
	var out struct {
		NodeSelector map[string]string `json:"nodeSelector"`
		Affinity     *corev1.Affinity  `json:"affinity"`
	}
	raw, err := json.Marshal(map[string]any{"nodeSelector": part["nodeSelector"], "affinity": part["affinity"]})
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return workflow.Placement{}, fmt.Errorf("read where its pods may go: %w", err)
	}
	return workflow.Placement{NodeSelector: out.NodeSelector, Affinity: out.Affinity}, nil
}

// applyPlacement sets the placement of a template, which was decoded without it.
func applyPlacement(t *workflow.Template, spec map[string]any) error {
	at, err := placementIn(spec)
	if err != nil {
		return err
	}
	t.Spec.NodeSelector, t.Spec.Affinity = at.NodeSelector, at.Affinity
	list, _, _ := unstructured.NestedSlice(spec, "templates")
	for i, item := range list {
		part, _ := item.(map[string]any)
		at, err := placementIn(part)
		if err != nil {
			return err
		}
		if i < len(t.Spec.Templates) {
			t.Spec.Templates[i].NodeSelector, t.Spec.Templates[i].Affinity = at.NodeSelector, at.Affinity
		}
	}
	return nil
}

// restoreSpec recomputes the specification to store, for a Workflow that was started by an
// earlier process which ended before it had stored it.
func (c *controller) restoreSpec(ctx context.Context, o *unstructured.Unstructured) error {
	key := o.GetNamespace() + "/" + o.GetName()
	c.mu.Lock()
	done := c.written[key] != "" || c.pendingSpecs[key] != nil
	c.mu.Unlock()
	if c.podLauncher == nil || done || storedSpec(o) != nil {
		return nil
	}
	_, err := c.request(ctx, o)
	if apierrors.IsNotFound(err) { // its template was deleted, so that the specification can't be recomputed
		return nil
	}
	return err
}

// syncPlacement applies the placement of the stored specification, which may have been
// changed, to the pods that are still to be created, as Argo's controller does.
func (c *controller) syncPlacement(o *unstructured.Unstructured, run *workflow.Run) error {
	spec := storedSpec(o)
	if c.podLauncher == nil || spec == nil || run.Phase.Ended() {
		return nil
	}
	to, err := placementIn(spec)
	if err != nil {
		return err
	}
	now, _, err := c.runner.PlacementOf(run.Namespace, run.Name)
	if err == nil && !now.Equal(to) {
		c.Log.Info("the placement of a workflow has changed", "workflow", run.Namespace+"/"+run.Name)
		err = c.runner.Place(run.Namespace, run.Name, now, to, nil)
	}
	if errors.Is(err, workflow.ErrEnded) || errors.Is(err, workflow.ErrUnknownRun) {
		return nil
	}
	return err
}
