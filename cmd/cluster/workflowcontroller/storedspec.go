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

// stored is the field in which Argo's controller keeps what a Workflow is: its template's
// specification with its own over it, joined once, as it takes the Workflow up. From then
// on it makes pods by that alone (setStoredWfSpec and setExecWorkflow in
// workflow/controller/operator.go, addSchedulingConstraints in workflowpod.go, v3.7).
const storedSpecField = "storedWorkflowTemplateSpec"

// joinedSpec is a template's specification with a Workflow's own over it: objects are
// joined, and any other value is one.
func mergedSpec(template, own map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(template)
	own = maps.Clone(own)
	delete(own, "workflowTemplateRef")
	mergeInto(out, own)
	return out
}

func mergeInto(into, over map[string]any) {
	for name, value := range over {
		above, is := value.(map[string]any)
		below, was := into[name].(map[string]any)
		if is && was {
			mergeInto(below, above)
			continue
		}
		into[name] = runtime.DeepCopyJSONValue(value)
	}
}

// storedSpec is the spec that a Workflow has stored; nil where it has not yet.
func storedSpec(o *unstructured.Unstructured) map[string]any {
	spec, _, _ := unstructured.NestedMap(o.Object, "status", storedSpecField)
	return spec
}

// placementIn is where a specification, or a template of one, lets pods go.
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

// placedAs gives a template that was read without it where its pods may go.
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

// storeAgain finds what is to be stored in a Workflow that was begun by an earlier
// process, which ended before it could.
func (c *controller) restoreSpec(ctx context.Context, o *unstructured.Unstructured) error {
	key := o.GetNamespace() + "/" + o.GetName()
	c.mu.Lock()
	done := c.written[key] != "" || c.pendingSpecs[key] != nil
	c.mu.Unlock()
	if c.podLauncher == nil || done || storedSpec(o) != nil {
		return nil
	}
	_, err := c.request(ctx, o)
	if apierrors.IsNotFound(err) { // its template is gone, and nothing of it is known
		return nil
	}
	return err
}

// place has the pods that are still to come go where the stored specification says, which
// is read by Argo's controller for each of them.
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
		c.Log.Info("a workflow is placed otherwise", "workflow", run.Namespace+"/"+run.Name)
		err = c.runner.Place(run.Namespace, run.Name, now, to, nil)
	}
	if errors.Is(err, workflow.ErrEnded) || errors.Is(err, workflow.ErrUnknownRun) {
		return nil
	}
	return err
}
