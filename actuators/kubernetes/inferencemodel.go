package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// planInference plans `model.serve` on an InferenceService:
//
//	mode      without canaryPercent, or 100   below 100
//	Knative   storageUri, canaryTrafficPercent of the predictor: the newest revision gets the share
//	Standard  storageUri of the predictor,    an entry of spec.canary, and its trafficPercent
//	          or the canary becomes stable
//	unknown   storageUri of the predictor     refused
func (m modelServer) planInference(ctx context.Context, o *object, p engine.Proposal, w verbparams.ModelServe) (engine.Change, error) {
	edit := modelEdit{set: map[string]any{}}
	mode := servingModeOf(o.Object)
	summary, err := edit.inferenceService(o.Object, mode, w)
	if err != nil {
		return engine.Change{}, err
	}
	if canaries, ok := fieldpath.Find(edit.set, "spec", "canary"); ok {
		if err := m.checkSplit(ctx, o); err != nil {
			return engine.Change{}, err
		}
		if err := m.checkCanaryField(ctx, o, canaries.([]any)); err != nil {
			return engine.Change{}, err
		}
	}
	if len(edit.changes) == 0 {
		return engine.Planned(p, true, "it serves that already", servingPlan{Write: patchKeeping(o, modelVerb, nil, nil)})
	}
	patch := patchKeeping(o, modelVerb, edit.set, nil)
	change, err := m.planPatch(ctx, p, o, patch)
	if err != nil || change.NoOp {
		return change, err
	}
	plan, err := engine.ReadPlan[servingPlan](change)
	if err != nil {
		return engine.Change{}, err
	}
	if plan.Revision, err = m.servingRevision(ctx, o.Unstructured); err != nil {
		return engine.Change{}, err
	}
	plan.NewRevision = edit.newRevision
	diff := strings.TrimPrefix(change.Diff, patch.String()+": ")
	if summary != "" {
		diff = summary + ": " + diff
	}
	return engine.Planned(p, false, diff, plan)
}

// inferenceService edits an InferenceService. The summary says what a change of its canaries
// comes to.
func (e *modelEdit) inferenceService(o map[string]any, mode servingMode, w verbparams.ModelServe) (summary string, err error) {
	if w.Env != "" || w.Argument != "" {
		return "", errors.New("an InferenceService says itself where its model lies: leave out env and argument")
	}
	if err := stopped(o); err != nil {
		return "", err
	}
	predictor, _ := fieldpath.Find(o, "spec", "predictor")
	fields, _ := predictor.(map[string]any)
	at, err := modelAt(fields)
	if err != nil {
		return "", err
	}
	if w.Container != "" && (mode != standardMode || w.CanaryPercent == nil) {
		return "", errors.New("container names a canary in Standard mode, and has no effect else: leave it out")
	}
	switch {
	case mode == meshMode:
		return "", refuseMode(mode, "model.serve")
	case mode == standardMode && (w.CanaryPercent != nil || len(fieldpath.Maps(o, "spec", "canary")) > 0):
		return e.canary(o, at, w)
	case mode == unknownMode && w.CanaryPercent != nil:
		return "", refuseMode(mode, "canaryPercent")
	}
	return "", e.predictor(o, at, w)
}

// predictor edits the predictor itself, and the share of its newest revision in Knative mode.
func (e *modelEdit) predictor(o map[string]any, at string, w verbparams.ModelServe) error {
	if w.URI != "" {
		e.newRevision = fieldpath.Text(o, "spec", "predictor", at, "storageUri") != w.URI
		if err := e.put(o, w.URI, "spec", "predictor", at, "storageUri"); err != nil {
			return err
		}
	}
	if w.CanaryPercent != nil && servingModeOf(o) == knativeMode {
		if *w.CanaryPercent < 100 {
			if err := checkPrevious(o, e.newRevision); err != nil {
				return fmt.Errorf("canaryPercent: %w", err)
			}
		}
		if err := e.put(o, int64(*w.CanaryPercent), "spec", "predictor", "canaryTrafficPercent"); err != nil {
			return err
		}
	}
	return e.annotate(o, w, "metadata")
}

// checkPrevious returns an error where there is no revision that could get the rest of the
// requests: KServe then gives all of them to the newest, whatever is written.
func checkPrevious(o map[string]any, newModel bool) error {
	revision := func(name string) string { return fieldpath.Text(o, "status", "components", "predictor", name) }
	rest := revision("latestRolledoutRevision")
	if !newModel && rest == revision("latestReadyRevision") {
		rest = revision("previousRolledoutRevision")
	}
	if rest == "" {
		return errors.New("no revision before has had all of the requests yet, so KServe has none to share them with; wait until one is rolled out")
	}
	return nil
}

// canary edits spec.canary in Standard mode.
func (e *modelEdit) canary(o map[string]any, at string, w verbparams.ModelServe) (summary string, err error) {
	i, name, err := findCanary(o, w.Container)
	if err != nil {
		return "", err
	}
	if w.CanaryPercent == nil {
		return "", fmt.Errorf("has the canary %s, so it is not plain which of its models is meant: set canaryPercent, with 100 to make the canary the stable one", name)
	}
	if *w.CanaryPercent == 100 {
		if i < 0 {
			return "", e.predictor(o, at, w) // no canary: the new model replaces the old one
		}
		return e.promote(o, i, name, at, w)
	}
	raw, _ := fieldpath.Find(o, "spec", "canary")
	list, _ := runtime.DeepCopyJSONValue(raw).([]any)
	share, rest := *w.CanaryPercent, 0
	for j, canary := range fieldpath.Maps(o, "spec", "canary") {
		if j != i {
			rest += canaryPercent(canary)
		}
	}
	if share+rest > 100 {
		return "", fmt.Errorf("canaryPercent: its other canaries get %d%% of the requests, so %d%% are left", rest, 100-rest)
	}
	if i < 0 {
		if w.URI == "" {
			return "", errors.New("has no canary yet: give its uri beside canaryPercent")
		}
		if err := checkCanaryName(fieldpath.Text(o, "metadata", "name"), name); err != nil {
			return "", err
		}
		model := map[string]any{"storageUri": w.URI}
		if format, ok := fieldpath.Find(o, "spec", "predictor", at, "modelFormat"); ok {
			model["modelFormat"] = runtime.DeepCopyJSONValue(format)
		}
		list = append(list, map[string]any{"trafficPercent": int64(share), "predictor": map[string]any{"name": name, at: model}})
		e.newRevision = true
		e.note(fieldpath.Names("spec", "canary"), raw, list)
	} else {
		canary := list[i].(map[string]any)
		e.note([]any{"spec", "canary", i, "trafficPercent"}, canary["trafficPercent"], int64(share))
		canary["trafficPercent"] = int64(share)
		if w.URI != "" {
			model, ok := fieldpath.Find(canary, "predictor", at)
			fields, isMap := model.(map[string]any)
			if !ok || !isMap {
				return "", fmt.Errorf("its canary %s has no %s, as its predictor has", name, at)
			}
			e.note([]any{"spec", "canary", i, "predictor", at, "storageUri"}, fields["storageUri"], w.URI)
			fields["storageUri"] = w.URI
		}
	}
	if len(e.changes) > 0 {
		e.set = map[string]any{"spec": map[string]any{"canary": list}}
	}
	return fmt.Sprintf("%d%% of the requests to the canary %s%s", share, name, modelNote(w)), nil
}

func modelNote(w verbparams.ModelServe) string {
	if w.URI == "" {
		return ""
	}
	return " of " + w.URI
}

// promote makes a canary the stable predictor, by its name and fields, as KServe documents it:
// its pods go on. The entry is removed.
func (e *modelEdit) promote(o map[string]any, i int, name, at string, w verbparams.ModelServe) (string, error) {
	canary := fieldpath.Maps(o, "spec", "canary")[i]
	uri := fieldpath.Text(canary, "predictor", at, "storageUri")
	if w.URI != "" && w.URI != uri {
		return "", fmt.Errorf("canaryPercent: 100 makes the canary %s of %s the stable one, and the uri is another; give the canary a share of the new model first, or leave uri out", name, uri)
	}
	if !canaryReady(o, name) {
		return "", fmt.Errorf("the canary %s is not ready by status.canaryStatuses, so it is not made the stable one; wait until it is", name)
	}
	raw, _ := fieldpath.Find(o, "spec", "canary")
	list, _ := runtime.DeepCopyJSONValue(raw).([]any)
	list = append(list[:i:i], list[i+1:]...)
	predictor, _ := fieldpath.Find(canary, "predictor")
	fields := maps.Clone(predictor.(map[string]any))
	delete(fields, "minReplicas") // counts the canary's pods
	e.set = map[string]any{"spec": map[string]any{"predictor": withoutEmpty(fields), "canary": list}}
	e.note(fieldpath.Names("spec", "canary"), raw, list)
	return fmt.Sprintf("make the canary %s of %s the stable one", name, uri), e.annotate(o, w, "metadata")
}

// withoutEmpty drops fields without a value, which KServe's webhook writes into predictors.
func withoutEmpty(fields map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range fields {
		if m, ok := value.(map[string]any); ok {
			value = withoutEmpty(m)
		}
		if !isEmpty(value) {
			out[name] = value
		}
	}
	return out
}
