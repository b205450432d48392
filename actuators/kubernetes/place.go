package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/with"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// argoVersion is the version of Argo Workflows' kinds.
const argoVersion = "argoproj.io/v1alpha1"

// Place is the verb `place`: which nodes the pods of a workload, or of a workflow
// that has not started, may run on.
func Place(c *Cluster) engine.Actuator { return placer{c} }

var (
	_ engine.Verifier = placer{}
	_ engine.Undoer   = placer{}
)

type placer struct{ *Cluster }

// Plan adds to the terms that are there, and takes none away that is not ours.
func (a placer) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w with.Place
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	apiVersion, kind, name := p.Target.APIVersion, p.Target.Kind, p.Target.Name
	if w.Workflow != "" {
		apiVersion, kind, name = argoVersion, "Workflow", w.Workflow
	}
	o, err := a.get(ctx, apiVersion, kind, p.Target.Namespace, name)
	if err != nil {
		return engine.Change{}, err
	}
	change, err := planPlace(o, p, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("place %s %s/%s: %w", kind, p.Target.Namespace, name, err)
	}
	return change, nil
}

func planPlace(o *object, p engine.Proposal, w with.Place) (engine.Change, error) {
	at, err := podSpecAt(o.Unstructured, w.Placement)
	if err != nil {
		return engine.Change{}, err
	}
	spec, _, err := unstructured.NestedMap(o.Object, at...)
	if err != nil {
		return engine.Change{}, fmt.Errorf("read %s: %w", strings.Join(at, "."), err)
	}
	if by := ownAffinity(spec); by != "" && (w.AntiAffinity != nil || w.Affinity != nil) {
		return engine.Change{}, fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", by)
	}
	held, _, _ := unstructured.NestedMap(heldBy(o, "place"), at...)
	next := placing{spec: spec, held: held}
	if w.Remove {
		err = next.remove(o, at, w.Placement)
	} else {
		next.add(w.Placement)
	}
	if err != nil {
		return engine.Change{}, err
	}
	if len(next.edits) == 0 {
		return engine.Planned(p, true, "it is placed so already", rolloutPlan{writeKeeping(o, "place", nil, nil)})
	}
	return next.planned(o, p, at)
}

// planned judges whose the fields are, and puts the write together.
func (n *placing) planned(o *object, p engine.Proposal, at []string) (engine.Change, error) {
	set, paths, gone := map[string]any{}, [][]any{}, [][]string{}
	for _, e := range n.edits {
		path := append(append([]string{}, at...), e.path...)
		steps := make([]any, len(path))
		for i := range path {
			steps[i] = path[i]
		}
		paths = append(paths, steps)
		if e.empty() {
			gone = append(gone, path)
			continue
		}
		if err := unstructured.SetNestedField(set, e.value, path...); err != nil {
			return engine.Change{}, fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
		}
	}
	whose, err := takeAll(o, "place", p, paths)
	if err != nil {
		return engine.Change{}, err
	}
	diff := make([]string, len(n.edits))
	for i, e := range n.edits {
		diff[i] = e.words + whose[i]
	}
	w := writeKeeping(o, "place", set, func(held map[string]any) {
		for _, path := range gone {
			removeField(held, path)
		}
	})
	if strings.Join(at, ".") == "spec.template.spec" && kindOf(o.Unstructured) != "Job.batch" {
		diff = append(diff, "every pod is replaced")
	}
	return engine.Planned(p, false, strings.Join(diff, "; "), rolloutPlan{w})
}

// removeField takes a field away, and what is empty without it.
func removeField(from map[string]any, path []string) {
	if len(path) == 1 {
		delete(from, path[0])
		return
	}
	inner, _ := from[path[0]].(map[string]any)
	removeField(inner, path[1:])
	if len(inner) == 0 {
		delete(from, path[0])
	}
}

// Apply writes the terms. A workflow that has started meanwhile is left alone.
func (a placer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[rolloutPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.apply(ctx, plan.Write, unstarted); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: "the placement is written"}, nil
}

// Verify is done once the pods have been replaced by placed ones, and are ready; for
// what has no pods yet, once it is written.
func (a placer) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return a.rolledOut(ctx, c)
}

// Undo puts back where the pods were allowed to run.
func (a placer) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return a.undoRollout(ctx, c)
}

// undoRollout writes the fields as they were before.
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

// errStarted says that pods may be there already, which nothing moves any more.
var errStarted = errors.New("it has started, and its pods stay where they are")

// unstarted is an error for a workflow that has started, and for a Job too.
func unstarted(o *unstructured.Unstructured) error {
	switch kindOf(o) {
	case "Workflow." + argoGroup:
		return workflowUnstarted(o)
	case "Job.batch":
		suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
		_, started, _ := unstructured.NestedString(o.Object, "status", "startTime")
		if !suspended || started {
			return fmt.Errorf("%w: a Job can be placed while it is suspended (spec.suspend) and has never run", errStarted)
		}
	}
	return nil
}

// workflowUnstarted goes by what Argo's controller writes: a workflow submitted as
// suspended is Running with no node. It takes its template's specification into the
// status as it takes up the workflow, and reads no other from then on.
func workflowUnstarted(o *unstructured.Unstructured) error {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	for _, nodes := range []string{"nodes", "compressedNodes", "offloadNodeStatusVersion"} {
		if v := plain(status[nodes]); v != nil && v != "" {
			return fmt.Errorf("%w (phase %s)", errStarted, phase)
		}
	}
	switch {
	case status["storedWorkflowTemplateSpec"] != nil:
		return fmt.Errorf("%w: it has taken over its template's specification (phase %s); submit it with the placement, by workflow.run", errStarted, phase)
	case phase == "" || phase == "Pending" || phase == "Running" && suspended:
		return nil
	}
	return fmt.Errorf("%w (phase %s)", errStarted, phase)
}
