package workflowcontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// reconcile submits, stops or deletes the run of a Workflow, and writes its status. It is
// retried after an error.
func (c *controller) reconcile(ctx context.Context, key string) error {
	namespace, name, _ := strings.Cut(key, "/")
	run, known := c.runner.Run(namespace, name)
	stored, exists, err := c.store.GetByKey(key)
	if err != nil {
		return err
	}
	if !exists || known && string(stored.(*unstructured.Unstructured).GetUID()) != run.Identity {
		return c.handleDeleted(key, run, known, exists)
	}
	o := stored.(*unstructured.Unstructured)
	if !known {
		if run, known, err = c.submit(ctx, o); err != nil || !known {
			return err
		}
	}
	if how, _, _ := unstructured.NestedString(o.Object, "spec", "shutdown"); how != "" {
		if err := c.runner.Cancel(namespace, name, "workflow shutdown with strategy: "+how); err != nil {
			return err
		}
	}
	if err := c.restoreSpec(ctx, o); err != nil {
		return err
	}
	if err := c.syncPlacement(o, &run); err != nil {
		return err
	}
	return c.patchStatus(ctx, o, statusOf(&run))
}

// handleDeleted stops and deletes the run of a deleted object. recreated means that a new
// object has the name, and is reconciled next.
func (c *controller) handleDeleted(key string, run workflow.Run, known, recreated bool) error {
	c.mu.Lock()
	delete(c.written, key)
	delete(c.pendingSpecs, key)
	c.mu.Unlock()
	if !known {
		return nil
	}
	if err := c.runner.Cancel(run.Namespace, run.Name, "its Workflow was deleted"); err != nil {
		return err
	}
	if !run.Phase.Ended() {
		return nil // reconciled again when it has ended
	}
	if err := c.runner.Delete(run.Namespace, run.Name); err != nil {
		return err
	}
	if recreated {
		c.queue.Add(key)
	}
	return nil
}

// submit submits the run of a Workflow, unless it has ended or is suspended. known reports
// whether there is a run.
func (c *controller) submit(ctx context.Context, o *unstructured.Unstructured) (run workflow.Run, known bool, err error) {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	nodes, _, _ := unstructured.NestedMap(o.Object, "status", "nodes")
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	switch {
	case workflow.Phase(phase).Ended():
		return run, false, nil
	case len(nodes) > 0: // started by another controller, or with another folder
		return run, false, c.fail(ctx, o, errors.New("its run is not known here any more"))
	case suspended && phase == "":
		return run, false, c.patchStatus(ctx, o, map[string]any{"phase": string(workflow.Running), "startedAt": formatTime(c.Clock.Now())})
	case suspended:
		return run, false, nil
	}
	request, err := c.request(ctx, o)
	if err == nil {
		run, err = c.runner.Submit(request)
	}
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return run, true, nil
	case errors.Is(err, workflow.ErrClosed) || errors.As(err, &status) && !apierrors.IsNotFound(err):
		return run, false, err
	}
	return run, false, c.fail(ctx, o, err)
}

// request builds the request for the run of a Workflow.
func (c *controller) request(ctx context.Context, o *unstructured.Unstructured) (workflow.Request, error) {
	out := workflow.Request{Namespace: o.GetNamespace(), Name: o.GetName(), Identity: string(o.GetUID()), Parameters: map[string]string{}}
	name, _, _ := unstructured.NestedString(o.Object, "spec", "workflowTemplateRef", "name")
	if name == "" {
		return out, errors.New("it has no workflowTemplateRef, and no other Workflow is run here")
	}
	object, err := c.Client.Dynamic.Resource(templates).Namespace(o.GetNamespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return out, fmt.Errorf("read WorkflowTemplate %s: %w", name, err)
	}
	if out.Template, err = templateOf(object); err != nil {
		return out, err
	}
	if c.podLauncher != nil {
		from, _, _ := unstructured.NestedMap(object.Object, "spec")
		workflowSpec, _, _ := unstructured.NestedMap(o.Object, "spec")
		merged := mergedSpec(from, workflowSpec)
		if err := applyPlacement(&out.Template, merged); err != nil {
			return out, err
		}
		c.mu.Lock()
		c.pendingSpecs[o.GetNamespace()+"/"+o.GetName()] = merged
		c.mu.Unlock()
	}
	if entrypoint, _, _ := unstructured.NestedString(o.Object, "spec", "entrypoint"); entrypoint != "" {
		out.Template.Spec.Entrypoint = entrypoint
	}
	if seconds, set, _ := unstructured.NestedInt64(o.Object, "spec", "activeDeadlineSeconds"); set {
		out.Template.Spec.ActiveDeadlineSeconds = &seconds
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "arguments", "parameters")
	for _, item := range list {
		p, _ := item.(map[string]any)
		if name, _ := p["name"].(string); name != "" {
			out.Parameters[name] = fmt.Sprint(p["value"])
		}
	}
	return out, nil
}

// templateOf decodes a WorkflowTemplate as strictly as the local orchestrator does a file,
// without its placement.
func templateOf(o *unstructured.Unstructured) (workflow.Template, error) {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec") // a copy
	list, _, _ := unstructured.NestedSlice(spec, "templates")
	parts := []map[string]any{spec}
	for i := range list {
		if part, ok := list[i].(map[string]any); ok {
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		for _, field := range []string{"nodeSelector", "affinity", "tolerations"} {
			delete(part, field)
		}
	}
	if len(list) > 0 {
		spec["templates"] = list
	}
	raw, err := json.Marshal(map[string]any{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "spec": spec,
		"metadata": map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()},
	})
	if err != nil {
		return workflow.Template{}, fmt.Errorf("read WorkflowTemplate %s: %w", o.GetName(), err)
	}
	read, err := orchestrator.ReadBytes("", raw)
	var found mistake.Mistakes
	switch {
	case errors.As(err, &found):
		return workflow.Template{}, errors.New(strings.Join(found.Lines(), "; "))
	case err != nil:
		return workflow.Template{}, err
	}
	return read.Workflows[0], nil
}

// fail ends a Workflow that can't be run.
func (c *controller) fail(ctx context.Context, o *unstructured.Unstructured, err error) error {
	now := formatTime(c.Clock.Now())
	return c.patchStatus(ctx, o, map[string]any{"phase": string(workflow.Error), "message": err.Error(), "startedAt": now, "finishedAt": now})
}

// patchStatus writes a status unless it is unchanged. As in Argo, the status is not a
// subresource, and the phase is also a label.
func (c *controller) patchStatus(ctx context.Context, o *unstructured.Unstructured, status map[string]any) error {
	key := o.GetNamespace() + "/" + o.GetName()
	c.mu.Lock()
	merged := c.pendingSpecs[key]
	c.mu.Unlock()
	if merged != nil {
		status[storedSpecField] = merged
	}
	phase := workflow.Phase(fmt.Sprint(status["phase"]))
	labels := map[string]any{"workflows.argoproj.io/phase": string(phase)}
	if phase.Ended() {
		labels["workflows.argoproj.io/completed"] = "true"
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": string(o.GetUID()), "labels": labels}, "status": status})
	if err != nil {
		return err
	}
	c.mu.Lock()
	same := c.written[key] == string(patch)
	c.mu.Unlock()
	if same {
		return nil
	}
	_, err = c.Client.Dynamic.Resource(workflows).Namespace(o.GetNamespace()).Patch(ctx, o.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "workflow-controller"})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it was deleted or replaced, and will be reconciled
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of Workflow %s: %w", key, err)
	}
	c.mu.Lock()
	c.written[key] = string(patch)
	delete(c.pendingSpecs, key) // stored now, where clients may change it
	c.mu.Unlock()
	return nil
}
