package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// patchPlan plans a patch of the target or of another object.
type patchPlan struct {
	Write objectPatch `json:"write"`
	// Creates is true where the object did not exist.
	Creates bool `json:"creates,omitempty"`
}

// dryRun asks the API server for the result of a patch without writing it. Only the API
// server knows its defaults, its spelling of quantities, and which items of a list it
// merges. A patch that it would refuse is refused now.
func (c *Cluster) dryRun(ctx context.Context, o *object, w objectPatch) (map[string]any, error) {
	w.ResourceVersion = "" // a status that changes meanwhile does not matter here
	raw, err := json.Marshal(w.object())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", w, err)
	}
	force := true
	options := metav1.PatchOptions{FieldManager: w.Manager, Force: &force, DryRun: []string{metav1.DryRunAll}}
	would, err := c.resource(o.mapping, w.Namespace).Patch(ctx, w.Name, types.ApplyPatchType, raw, options)
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("try to write %s: %w", w, err))
	}
	return would.Object, nil
}

// planPatch plans the change of an existing object, with what differs and whose values are
// replaced. The checks can refuse changes.
func (c *Cluster) planPatch(ctx context.Context, p engine.Proposal, o *object, w objectPatch, checks ...func(*object, []fieldChange) error) (engine.Change, error) {
	ours := merge(appliedAs(o, w.Manager), w.Set)
	if same(w.Before, w.Set) && same(ours, w.Set) { // nothing to set, and nothing of ours to give up
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", w), patchPlan{Write: w})
	}
	would, err := c.dryRun(ctx, o, w)
	if err != nil {
		return engine.Change{}, err
	}
	changes := slices.DeleteFunc(changesBetween(o.Object, would), func(change fieldChange) bool {
		return !within(ours, change.path) // a controller has written it since the object was read
	})
	if len(changes) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", w), patchPlan{Write: w})
	}
	for _, check := range checks {
		if err := check(o, changes); err != nil {
			return engine.Change{}, fmt.Errorf("%s %s: %w", p.Primitive, w, err)
		}
	}
	from, err := c.checkTakeOver(o, p, changes)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s %s: %w", p.Primitive, w, err)
	}
	w.After = w.fields(&unstructured.Unstructured{Object: would})
	return planned(p, fmt.Sprintf("%s: %s%s", w, diffOf(changes), takeOverNote(from...)), patchPlan{Write: w}, from)
}

// within reports whether a path leads to a field of a set, or into one of its lists.
func within(set any, path []any) bool {
	if len(path) == 0 {
		return true
	}
	switch v := set.(type) {
	case map[string]any:
		name, _ := path[0].(string)
		below, has := v[name]
		return has && within(below, path[1:])
	case []any:
		return true
	}
	return false
}

// stillApplied reads a planned object and reports whether the patched fields still have their
// values.
func (c *Cluster) stillApplied(ctx context.Context, change engine.Change) (o *object, w objectPatch, still bool, err error) {
	plan, err := engine.ReadPlan[patchPlan](change)
	if err != nil {
		return nil, objectPatch{}, false, err
	}
	w = plan.Write
	if o, err = c.get(ctx, w.APIVersion, w.Kind, w.Namespace, w.Name); err != nil {
		return nil, w, false, err
	}
	if w.After == nil && w.ResourceVersion == "" { // we created it, and the API server has added defaults
		return o, w, true, nil
	}
	return o, w, same(w.fields(o.Unstructured), w.wanted()), nil
}

// applyPatch applies a planned patch.
func (c *Cluster) applyPatch(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[patchPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := c.apply(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s is written", plan.Write)}, nil
}

// verifyPatch is done if the fields still have their values.
func (c *Cluster) verifyPatch(ctx context.Context, change engine.Change, participle string) (engine.Outcome, error) {
	_, w, still, err := c.stillApplied(ctx, change)
	switch {
	case err != nil:
		return engine.Outcome{}, err
	case !still:
		return overwritten(w), nil
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is %s", w, participle)}, nil
}

// undoPatch restores an object that existed before.
func (c *Cluster) undoPatch(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[patchPlan](change)
	if err != nil {
		return engine.Outcome{}, err
	}
	w := plan.Write
	if plan.Creates {
		return engine.Outcome{}, fmt.Errorf("undo %s: this change made the %s, and nothing here deletes objects; delete it with: kubectl delete %s -n %s %s", w, w.Kind, w.Kind, w.Namespace, w.Name)
	}
	if err := c.undo(ctx, w); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is as it was", w)}, nil
}

func overwritten(w objectPatch) engine.Outcome {
	return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("%s was written by somebody else since", w)}
}
