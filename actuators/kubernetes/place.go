package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const argoVersion = "argoproj.io/v1alpha1"

// Place is the verb `place`: it restricts the nodes that pods may run on, for a workload,
// for the future runs of a WorkflowTemplate, or for a workflow that has not started. With
// move it also moves the pods of runs under way.
func Place(c *Cluster) engine.Actuator { return placer{c} }

var (
	_ engine.Verifier = placer{}
	_ engine.Undoer   = placer{}
)

type placer struct{ *Cluster }

// Plan adds terms to those that are there, and removes only terms of ours.
func (a placer) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Place
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	var plan placePlan
	var diff, from []string
	if !w.Move || w.Workflow == "" {
		change, err := a.planObject(ctx, p, w)
		if err != nil {
			return engine.Change{}, err
		}
		if !w.Move {
			return a.placesServing(ctx, p, change)
		}
		object, err := engine.ReadPlan[placePlan](change)
		if err != nil {
			return engine.Change{}, err
		}
		plan.Write = object.Write
		if !change.NoOp {
			diff, from = append(diff, change.Diff), append(from, change.TakenOver)
		}
	}
	runs, moves, err := a.planRuns(ctx, p, w)
	if err != nil {
		return engine.Change{}, err
	}
	plan.Runs = runs
	for i := range runs {
		from = append(from, runs[i].takenOver...)
	}
	if diff = append(diff, moves...); len(diff) == 0 {
		return engine.Planned(p, true, "it is placed so already", plan)
	}
	return planned(p, strings.Join(diff, "; "), plan, from)
}

// planObject plans the patch of the object to place: the target, or the one that is named.
func (a placer) planObject(ctx context.Context, p engine.Proposal, w verbparams.Place) (engine.Change, error) {
	apiVersion, kind, name := p.Target.APIVersion, p.Target.Kind, p.Target.Name
	switch {
	case w.Workflow != "":
		apiVersion, kind, name = argoVersion, "Workflow", w.Workflow
	case w.Template != "":
		apiVersion, kind, name = argoVersion, "WorkflowTemplate", w.Template
	}
	o, err := a.get(ctx, apiVersion, kind, p.Target.Namespace, name)
	if err != nil {
		return engine.Change{}, err
	}
	change, err := a.planPlace(o, p, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("place %s %s/%s: %w", kind, p.Target.Namespace, name, err)
	}
	return change, nil
}

func (c *Cluster) planPlace(o *object, p engine.Proposal, w verbparams.Place) (engine.Change, error) {
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
	held, _, _ := unstructured.NestedMap(appliedBy(o, "place"), at...)
	next := placement{spec: spec, held: held}
	if w.Remove {
		err = next.remove(o, at, w.Placement)
	} else {
		next.add(w.Placement)
	}
	if err != nil {
		return engine.Change{}, err
	}
	if len(next.edits) == 0 {
		return engine.Planned(p, true, "it is placed so already", rolloutPlan{patchKeeping(o, "place", nil, nil)})
	}
	return next.planned(c, o, p, at)
}

// planned checks who owns the fields and builds the patch.
func (n *placement) planned(c *Cluster, o *object, p engine.Proposal, at []string) (engine.Change, error) {
	set, paths, gone := map[string]any{}, []fieldpath.Path{}, [][]string{}
	for _, e := range n.edits {
		path := slices.Concat(at, e.path)
		paths = append(paths, fieldpath.Names(path...))
		if e.empty() {
			gone = append(gone, path)
			continue
		}
		if err := unstructured.SetNestedField(set, e.value, path...); err != nil {
			return engine.Change{}, fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
		}
	}
	from, err := c.checkTakeOvers(o, "place", p, paths)
	if err != nil {
		return engine.Change{}, err
	}
	diff := make([]string, len(n.edits))
	for i, e := range n.edits {
		diff[i] = e.words + takeOverNote(from[i])
	}
	w := patchKeeping(o, "place", set, func(held map[string]any) {
		for _, path := range gone {
			removeField(held, path)
		}
	})
	if strings.Join(at, ".") == "spec.template.spec" && kindOf(o.Unstructured) != "Job.batch" {
		diff = append(diff, "every pod is replaced")
	}
	return planned(p, strings.Join(diff, "; "), rolloutPlan{w}, from)
}

// removeField removes a field and the maps that are empty without it.
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

// Apply writes the terms. Without move, it fails where the workflow has started meanwhile.
func (a placer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if plan.Write != nil {
		if err := a.apply(ctx, *plan.Write, checkNotStarted); err != nil {
			return engine.Outcome{}, err
		}
	}
	for i := range plan.Runs {
		if err := a.move(ctx, &plan.Runs[i]); err != nil {
			return engine.Outcome{}, err
		}
	}
	return engine.Outcome{Status: engine.Running, Detail: "the placement is written"}, nil
}

// Verify is done once ready pods with the terms have replaced the others, and evicted
// steps run elsewhere. An object without pods is done once it is written.
func (a placer) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	out := engine.Outcome{Status: engine.Done}
	if plan.Write != nil {
		if out, err = a.placed(ctx, c, *plan.Write); err != nil || len(plan.Runs) == 0 {
			return out, err
		}
	}
	details := []string{}
	if out.Detail != "" {
		details = append(details, out.Detail)
	}
	for i := range plan.Runs {
		status, detail, err := a.moveStatus(ctx, &plan.Runs[i])
		if err != nil {
			return engine.Outcome{}, err
		}
		details = append(details, "run "+plan.Runs[i].Write.Name+": "+detail)
		if status == engine.Failed || out.Status == engine.Done {
			out.Status = status
		}
	}
	out.Detail = strings.Join(details, "; ")
	return out, nil
}

// Undo restores the terms. Pods that were moved stay where they are.
func (a placer) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	var errs []error
	for i := range plan.Runs {
		errs = append(errs, a.moveBack(ctx, &plan.Runs[i]))
	}
	if plan.Write != nil {
		errs = append(errs, a.undo(ctx, *plan.Write))
	}
	if err := errors.Join(errs...); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + c.Diff + ")"}, nil
}
