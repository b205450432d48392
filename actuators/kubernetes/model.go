package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// ModelServe is the verb `model.serve`: which model an InferenceService, a
// SeldonDeployment or a workload serves, and to how many of the requests.
func ModelServe(c *Cluster) engine.Actuator { return modeler{c} }

var (
	_ engine.Verifier = modeler{}
	_ engine.Undoer   = modeler{}
)

type modeler struct{ *Cluster }

const modelVerb = "model.serve"

// modelEdit is what becomes of an object that shall serve another model.
type modelEdit struct {
	set     map[string]any
	changes []fieldChange
}

// Plan finds where the object says what it serves.
func (m modeler) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.ModelServe
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	o, err := m.get(ctx, p.Target.APIVersion, p.Target.Kind, p.Target.Namespace, p.Target.Name)
	if err != nil {
		return engine.Change{}, err
	}
	change, err := planModel(o, p, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s %s %s: %w", modelVerb, p.Target.Kind, p.Target.ID(), err)
	}
	return change, nil
}

func planModel(o *object, p engine.Proposal, w verbparams.ModelServe) (engine.Change, error) {
	edit := modelEdit{set: map[string]any{}}
	var err error
	switch kindOf(o.Unstructured) {
	case "InferenceService." + kserveGroup:
		err = edit.inferenceService(o.Object, w)
	case "SeldonDeployment." + seldonGroup:
		err = edit.seldonDeployment(o.Object, w)
	default:
		err = edit.workload(o, w)
	}
	if err != nil {
		return engine.Change{}, err
	}
	if len(edit.changes) == 0 {
		return engine.Planned(p, true, "it serves that already", rolloutPlan{writeKeeping(o, modelVerb, nil, nil)})
	}
	paths := make([][]any, len(edit.changes))
	for i, c := range edit.changes {
		paths[i] = c.path
	}
	whose, err := takeAll(o, modelVerb, p, paths)
	if err != nil {
		return engine.Change{}, err
	}
	diff := make([]string, len(edit.changes))
	for i, c := range edit.changes {
		diff[i] = c.String() + whose[i]
	}
	return engine.Planned(p, false, strings.Join(diff, ", "), rolloutPlan{writeKeeping(o, modelVerb, edit.set, nil)})
}

// put sets a field that lies in maps alone.
func (e *modelEdit) put(from map[string]any, value any, path ...string) error {
	was, _, _ := unstructured.NestedFieldCopy(from, path...)
	steps := make([]any, len(path))
	for i := range path {
		steps[i] = path[i]
	}
	if err := unstructured.SetNestedField(e.set, value, path...); err != nil {
		return fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
	}
	e.note(steps, was, value)
	return nil
}

func (e *modelEdit) note(path []any, was, is any) {
	if !same(was, is) {
		e.changes = append(e.changes, fieldChange{path, was, is})
	}
}

// annotate says which model is in service, for documents to come: the new one, once
// it has more than a share.
func (e *modelEdit) annotate(from map[string]any, w verbparams.ModelServe, metadata ...string) error {
	model := cmp.Or(w.Version, w.URI)
	if model == "" || w.CanaryPercent != nil && *w.CanaryPercent < 100 {
		return nil
	}
	return e.put(from, model, append(metadata, "annotations", clusterview.ModelAnnotation)...)
}

// Apply writes it.
func (m modeler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return m.applyRollout(ctx, c)
}

// Verify is done once the new model is ready to serve, as the object says.
func (m modeler) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return m.rolledOut(ctx, c)
}

// Undo has the old model served again.
func (m modeler) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return m.undoRollout(ctx, c)
}
