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
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// ModelServe is the verb `model.serve`: it sets the model that an InferenceService, a
// SeldonDeployment or a workload serves, and its share of the requests.
func ModelServe(c *Cluster) engine.Actuator { return modelServer{c} }

var (
	_ engine.Verifier = modelServer{}
	_ engine.Undoer   = modelServer{}
)

type modelServer struct{ *Cluster }

const modelVerb = "model.serve"

// modelEdit collects the edits to an object.
type modelEdit struct {
	set         map[string]any
	changes     []fieldChange
	newRevision bool
}

func (m modelServer) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.ModelServe
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	o, err := m.get(ctx, p.Target.APIVersion, p.Target.Kind, p.Target.Namespace, p.Target.Name)
	if err != nil {
		return engine.Change{}, err
	}
	change, err := m.plan(ctx, o, p, w)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s %s %s: %w", modelVerb, p.Target.Kind, p.Target.ID(), err)
	}
	return change, nil
}

func (m modelServer) plan(ctx context.Context, o *object, p engine.Proposal, w verbparams.ModelServe) (engine.Change, error) {
	if isInferenceService(o.GetAPIVersion(), o.GetKind()) {
		return m.planInference(ctx, o, p, w)
	}
	return m.planModel(o, p, w)
}

func (m modelServer) planModel(o *object, p engine.Proposal, w verbparams.ModelServe) (engine.Change, error) {
	edit := modelEdit{set: map[string]any{}}
	var err error
	switch kindOf(o.Unstructured) {
	case "SeldonDeployment." + seldonGroup:
		err = edit.seldonDeployment(o.Object, w)
	default:
		err = edit.workload(o, w)
	}
	if err != nil {
		return engine.Change{}, err
	}
	if len(edit.changes) == 0 {
		return engine.Planned(p, true, "it serves that already", rolloutPlan{patchKeeping(o, modelVerb, nil, nil)})
	}
	paths := make([]fieldpath.Path, len(edit.changes))
	for i, c := range edit.changes {
		paths[i] = c.path
	}
	from, err := m.checkTakeOvers(o, modelVerb, p, paths)
	if err != nil {
		return engine.Change{}, err
	}
	diff := make([]string, len(edit.changes))
	for i, c := range edit.changes {
		diff[i] = c.String() + takeOverNote(from[i])
	}
	return planned(p, strings.Join(diff, ", "), rolloutPlan{patchKeeping(o, modelVerb, edit.set, nil)}, from)
}

// put sets a field that lies in maps only.
func (e *modelEdit) put(from map[string]any, value any, path ...string) error {
	was, _, _ := unstructured.NestedFieldCopy(from, path...)
	if err := unstructured.SetNestedField(e.set, value, path...); err != nil {
		return fmt.Errorf("write %s: %w", strings.Join(path, "."), err)
	}
	e.note(fieldpath.Names(path...), was, value)
	return nil
}

func (e *modelEdit) note(path []any, was, is any) {
	if !same(was, is) {
		e.changes = append(e.changes, fieldChange{path, was, is})
	}
}

// annotate records the model in service for later documents, unless the new model gets
// only a share of the requests.
func (e *modelEdit) annotate(from map[string]any, w verbparams.ModelServe, metadata ...string) error {
	model := cmp.Or(w.Version, w.URI)
	if model == "" || w.CanaryPercent != nil && *w.CanaryPercent < 100 {
		return nil
	}
	return e.put(from, model, append(metadata, "annotations", clusterview.ModelAnnotation)...)
}

func (m modelServer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return m.applyRollout(ctx, c)
}

func (m modelServer) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[servingPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if isInferenceService(plan.Write.APIVersion, plan.Write.Kind) {
		return m.served(ctx, plan)
	}
	return m.rolledOut(ctx, c)
}

func (m modelServer) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return m.undoRollout(ctx, c)
}
