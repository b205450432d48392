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

// writePlan is a write to one object, the target or another.
type writePlan struct {
	Write write `json:"write"`
	// Creates says that the object was not there.
	Creates bool `json:"creates,omitempty"`
}

// rehearse asks the API server what an object would come to by a write, without
// writing it: only that knows what defaults it adds, how it spells a quantity, and
// which of a list's items are one. What it would refuse, it refuses now.
func (c *Cluster) rehearse(ctx context.Context, o *object, w write) (map[string]any, error) {
	w.ResourceVersion = "" // a status that comes between is no matter here
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

// plannedWrite puts together the change of an object that is there: what differs,
// and whose values are replaced. may forbid some changes.
func (c *Cluster) plannedWrite(ctx context.Context, p engine.Proposal, o *object, w write, may ...func(*object, []fieldChange) error) (engine.Change, error) {
	ours := merged(ownOf(o, w.Manager), w.Set)
	if same(w.Before, w.Set) && same(ours, w.Set) { // nothing to set, and nothing of ours to give up
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", w), writePlan{Write: w})
	}
	would, err := c.rehearse(ctx, o, w)
	if err != nil {
		return engine.Change{}, err
	}
	changes := slices.DeleteFunc(changesBetween(o.Object, would), func(change fieldChange) bool {
		return !within(ours, change.path) // a controller has written it since the object was read
	})
	if len(changes) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s is so already", w), writePlan{Write: w})
	}
	for _, check := range may {
		if err := check(o, changes); err != nil {
			return engine.Change{}, fmt.Errorf("%s %s: %w", p.Primitive, w, err)
		}
	}
	taken, err := mayTakeAll(o, p, changes)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s %s: %w", p.Primitive, w, err)
	}
	w.After = w.fields(&unstructured.Unstructured{Object: would})
	return engine.Planned(p, false, fmt.Sprintf("%s: %s%s", w, diffOf(changes), taken), writePlan{Write: w})
}

// within tells whether a path leads to a field of a set, or into a list of it.
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

// stillWritten tells whether the fields of a write are as it made them; the object
// is what else it says of itself.
func (c *Cluster) stillWritten(ctx context.Context, change engine.Change) (o *object, w write, still bool, err error) {
	plan, err := engine.ReadPlan[writePlan](change)
	if err != nil {
		return nil, write{}, false, err
	}
	w = plan.Write
	if o, err = c.get(ctx, w.APIVersion, w.Kind, w.Namespace, w.Name); err != nil {
		return nil, w, false, err
	}
	if w.After == nil && w.ResourceVersion == "" { // made by us: the API server has added to it what it will
		return o, w, true, nil
	}
	return o, w, same(w.fields(o.Unstructured), w.wanted()), nil
}

// verifyWrite is done if the fields are still as the change made them.
func (c *Cluster) verifyWrite(ctx context.Context, change engine.Change, said string) (engine.Outcome, error) {
	_, w, still, err := c.stillWritten(ctx, change)
	switch {
	case err != nil:
		return engine.Outcome{}, err
	case !still:
		return overwritten(w), nil
	}
	return engine.Outcome{Status: engine.Done, Detail: fmt.Sprintf("%s is %s", w, said)}, nil
}

// undoWrite puts an object back that was there before.
func (c *Cluster) undoWrite(ctx context.Context, change engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[writePlan](change)
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

func overwritten(w write) engine.Outcome {
	return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("%s was written by somebody else since", w)}
}
