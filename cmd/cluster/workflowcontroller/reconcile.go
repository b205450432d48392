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
)

// reconcile has a Workflow run, ended, or forgotten, as its object says, and writes
// how it stands. An error has it looked at again.
func (c *controller) reconcile(ctx context.Context, key string) error {
	namespace, name, _ := strings.Cut(key, "/")
	run, known := c.runner.Run(namespace, name)
	stored, there, err := c.seen.GetByKey(key)
	if err != nil {
		return err
	}
	if !there || known && string(stored.(*unstructured.Unstructured).GetUID()) != run.Identity {
		return c.forget(key, run, known, there)
	}
	o := stored.(*unstructured.Unstructured)
	if !known {
		if run, known, err = c.begin(ctx, o); err != nil || !known {
			return err
		}
	}
	if how, _, _ := unstructured.NestedString(o.Object, "spec", "shutdown"); how != "" {
		if err := c.runner.Cancel(namespace, name, "workflow shutdown with strategy: "+how); err != nil {
			return err
		}
	}
	if err := c.storeAgain(ctx, o); err != nil {
		return err
	}
	if err := c.place(o, &run); err != nil {
		return err
	}
	return c.write(ctx, o, statusOf(&run))
}

// forget ends the run of an object that is no more. again says that there is another
// object of its name, which waits for that.
func (c *controller) forget(key string, run workflow.Run, known, again bool) error {
	c.mu.Lock()
	delete(c.written, key)
	delete(c.joined, key)
	c.mu.Unlock()
	if !known {
		return nil
	}
	if err := c.runner.Cancel(run.Namespace, run.Name, "its Workflow was deleted"); err != nil {
		return err
	}
	if !run.Phase.Ended() {
		return nil // its end comes by this way again
	}
	if err := c.runner.Forget(run.Namespace, run.Name); err != nil {
		return err
	}
	if again {
		c.queue.Add(key)
	}
	return nil
}

// begin begins the run of a Workflow whose turn it is; known tells whether it has one
// then.
func (c *controller) begin(ctx context.Context, o *unstructured.Unstructured) (run workflow.Run, known bool, err error) {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	nodes, _, _ := unstructured.NestedMap(o.Object, "status", "nodes")
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	switch {
	case workflow.Phase(phase).Ended():
		return run, false, nil
	case len(nodes) > 0: // begun by another, or by us with another folder
		return run, false, c.refuse(ctx, o, errors.New("its run is not known here any more"))
	case suspended && phase == "":
		return run, false, c.write(ctx, o, map[string]any{"phase": string(workflow.Running), "startedAt": stamp(c.Clock.Now())})
	case suspended:
		return run, false, nil
	}
	request, err := c.request(ctx, o)
	if err == nil {
		run, err = c.runner.Begin(request)
	}
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return run, true, nil
	case errors.Is(err, workflow.ErrClosed) || errors.As(err, &status) && !apierrors.IsNotFound(err):
		return run, false, err
	}
	return run, false, c.refuse(ctx, o, err)
}

// request reads what a Workflow asks for.
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
	if c.pods != nil {
		from, _, _ := unstructured.NestedMap(object.Object, "spec")
		own, _, _ := unstructured.NestedMap(o.Object, "spec")
		joined := joinedSpec(from, own)
		if err := placedAs(&out.Template, joined); err != nil {
			return out, err
		}
		c.mu.Lock()
		c.joined[o.GetNamespace()+"/"+o.GetName()] = joined
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

// templateOf reads a WorkflowTemplate as strictly as a file is read, but for where its
// pods may go: there are none.
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
	var found orchestrator.Problems
	switch {
	case errors.As(err, &found):
		lines := make([]string, len(found))
		for i, p := range found {
			p.Line = 0 // of a text that nobody wrote
			lines[i] = p.Error()
		}
		return workflow.Template{}, errors.New(strings.Join(lines, "; "))
	case err != nil:
		return workflow.Template{}, err
	}
	return read.Workflows[0], nil
}

// refuse ends a Workflow that can't be run.
func (c *controller) refuse(ctx context.Context, o *unstructured.Unstructured, err error) error {
	now := stamp(c.Clock.Now())
	return c.write(ctx, o, map[string]any{"phase": string(workflow.Error), "message": err.Error(), "startedAt": now, "finishedAt": now})
}

// write writes a status, unless that is what was written last. As in Argo, status is no
// subresource, and the phase is a label too.
func (c *controller) write(ctx context.Context, o *unstructured.Unstructured, status map[string]any) error {
	key := o.GetNamespace() + "/" + o.GetName()
	c.mu.Lock()
	joined := c.joined[key]
	c.mu.Unlock()
	if joined != nil {
		status[stored] = joined
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
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it is gone, or another has its name: that comes too
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of Workflow %s: %w", key, err)
	}
	c.mu.Lock()
	c.written[key] = string(patch)
	delete(c.joined, key) // it is stored, and may be changed there from now on
	c.mu.Unlock()
	return nil
}
