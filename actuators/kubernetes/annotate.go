package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Annotate is the verb `annotate`: it annotates the target. Annotations that it set before
// remain.
func Annotate(c *Cluster) engine.Actuator { return annotator{c} }

var (
	_ engine.Verifier = annotator{}
	_ engine.Undoer   = annotator{}
)

type annotator struct{ *Cluster }

// annotatePlan is the patch of one act, and the other annotations that the verb has applied.
// Acts of this verb hold no claim, so several may write one object concurrently.
type annotatePlan struct {
	Write objectPatch    `json:"write"`
	Keep  map[string]any `json:"keep,omitempty"`
}

func (a annotator) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Annotate
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	t := p.Target
	if err := checkWritable("annotate", t.APIVersion, t.Kind, t.Namespace, t.Name); err != nil {
		return engine.Change{}, err
	}
	o, err := a.get(ctx, t.APIVersion, t.Kind, t.Namespace, t.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate: %w", err)
	}
	next := map[string]any{}
	for key, value := range w.Annotations {
		next[key] = value
	}
	patch := patchOf(o, "annotate", annotations(next))
	changes := changesBetween(patch.Before, patch.Set)
	if len(changes) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", patch), annotatePlan{Write: patch})
	}
	from, err := a.checkTakeOver(o, p, changes)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate %s: %w", patch, err)
	}
	return planned(p, fmt.Sprintf("%s: %s%s", patch, diffOf(changes), takeOverNote(from...)), annotatePlan{patch, besides(o, patch)}, from)
}

// annotations returns the fields of an object with these annotations.
func annotations(all map[string]any) map[string]any {
	if len(all) == 0 {
		return map[string]any{}
	}
	return map[string]any{"metadata": map[string]any{"annotations": all}}
}

func annotationsIn(o map[string]any) map[string]any {
	all, _, _ := unstructured.NestedMap(o, "metadata", "annotations")
	return all
}

// besides returns the verb's annotations that a patch does not write. They have to be named
// again, because a manager gives up what it does not name.
func besides(o *object, w objectPatch) map[string]any {
	all := maps.Clone(annotationsIn(appliedAs(o, w.Manager)))
	for _, fields := range []map[string]any{w.Set, w.Before} {
		for key := range annotationsIn(fields) {
			delete(all, key)
		}
	}
	return annotations(all)
}

func (a annotator) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if err := checkPlanned(c, "annotate"); err != nil {
		return engine.Outcome{}, err
	}
	plan, err := engine.ReadPlan[annotatePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.applyBeside(ctx, plan.Write, plan.Keep); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s is annotated", plan.Write)}, nil
}

// applyBeside applies one act's annotations together with the others. It reads those again
// where another act has written some meanwhile.
func (a annotator) applyBeside(ctx context.Context, w objectPatch, keep map[string]any) error {
	var err error
	for range maxConflicts {
		whole := w
		whole.Set, whole.Before = merge(keep, w.Set), merge(keep, w.Before)
		if err = a.apply(ctx, whole); !errors.Is(err, ErrMoved) {
			return err
		}
		o, missing := a.get(ctx, w.APIVersion, w.Kind, w.Namespace, w.Name)
		if missing != nil {
			return missing
		}
		if fields := w.fields(o.Unstructured); string(o.GetUID()) != w.UID || !same(fields, w.Before) && !same(fields, w.Set) {
			return err
		}
		w.ResourceVersion, keep = o.GetResourceVersion(), besides(o, w)
	}
	return err
}

func (a annotator) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return a.verifyPatch(ctx, c, "annotated")
}

// Undo restores the annotations, unless another manager has written them since.
func (a annotator) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if err := checkPlanned(c, "annotate"); err != nil {
		return engine.Outcome{}, err
	}
	plan, err := engine.ReadPlan[annotatePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	w := plan.Write
	o, err := a.get(ctx, w.APIVersion, w.Kind, w.Namespace, w.Name)
	if err != nil {
		return engine.Outcome{}, err
	}
	undone := engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is as it was", w)}
	switch fields := w.fields(o.Unstructured); {
	case same(fields, w.Before):
		return undone, nil
	case !same(fields, w.Set) || string(o.GetUID()) != w.UID:
		return engine.Outcome{}, fmt.Errorf("undo %s: %w: somebody else has written it since", w, ErrMoved)
	}
	back := w
	back.Set, back.Before, back.ResourceVersion = w.Before, w.Set, o.GetResourceVersion()
	if err := a.applyBeside(ctx, back, besides(o, back)); err != nil {
		return engine.Outcome{}, err
	}
	return undone, nil
}
