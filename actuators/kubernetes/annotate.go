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

// Annotate is the verb `annotate`: annotations on the target itself. Those that it
// set before stay.
func Annotate(c *Cluster) engine.Actuator { return annotator{c} }

var (
	_ engine.Verifier = annotator{}
	_ engine.Undoer   = annotator{}
)

type annotator struct{ *Cluster }

// annotatePlan is one act's annotations, and the others that the verb has set. Acts of
// this verb hold no claim, so several may write one object side by side.
type annotatePlan struct {
	Write write          `json:"write"`
	Keep  map[string]any `json:"keep,omitempty"`
}

// Plan is a no-op where the target has these annotations.
func (a annotator) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Annotate
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	t := p.Target
	o, err := a.get(ctx, t.APIVersion, t.Kind, t.Namespace, t.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate: %w", err)
	}
	next := map[string]any{}
	for key, value := range w.Annotations {
		next[key] = value
	}
	write := writeTo(o, "annotate", annotations(next))
	changes := changesBetween(write.Before, write.Set)
	if len(changes) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", write), annotatePlan{Write: write})
	}
	taken, err := mayTakeAll(o, p, changes)
	if err != nil {
		return engine.Change{}, fmt.Errorf("annotate %s: %w", write, err)
	}
	return engine.Planned(p, false, fmt.Sprintf("%s: %s%s", write, diffOf(changes), taken), annotatePlan{write, besides(o, write)})
}

// annotations is the fields of an object that has these.
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

// besides is the annotations of the verb's that a write is not about. A manager that
// applies again gives up what it no longer names, so they are named again.
func besides(o *object, w write) map[string]any {
	all := maps.Clone(annotationsIn(ownOf(o, w.Manager)))
	for _, fields := range []map[string]any{w.Set, w.Before} {
		for key := range annotationsIn(fields) {
			delete(all, key)
		}
	}
	return annotations(all)
}

// Apply writes the annotations.
func (a annotator) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[annotatePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := a.writeBeside(ctx, plan.Write, plan.Keep); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s is annotated", plan.Write)}, nil
}

// writeBeside writes one act's annotations, and names the others again: as they are by
// now, where another act has written some meanwhile.
func (a annotator) writeBeside(ctx context.Context, w write, keep map[string]any) error {
	var err error
	for range moves {
		whole := w
		whole.Set, whole.Before = merged(keep, w.Set), merged(keep, w.Before)
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

// Verify is done if the annotations are still those.
func (a annotator) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return a.verifyWrite(ctx, c, "annotated")
}

// Undo puts the annotations back to what they were, unless somebody wrote them since.
func (a annotator) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
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
	if err := a.writeBeside(ctx, back, besides(o, back)); err != nil {
		return engine.Outcome{}, err
	}
	return undone, nil
}
