package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// Labels of a run. The values of agent and target are shortened to fit a label;
// annotations of the same names have them in full.
const (
	identityLabel = "scanflow.dev/identity"
	agentLabel    = "scanflow.dev/agent"
	targetLabel   = "scanflow.dev/target"
	workflowLabel = "scanflow.dev/workflow"
)

const (
	maxLabelValue = 63 // length of a label's value
	labelHash     = 10 // hex digits of the hash in a shortened value
	// keepRun is the default for how many seconds an ended run is kept, and
	// keepRunAtLeast the minimum, so that the run is not gone before Verify sees its end.
	keepRun        = int64(24 * 60 * 60)
	keepRunAtLeast = int64(10 * 60)
)

// labelValue converts a text to a label's value, shortened with a hash if it is too long.
func labelValue(text string) string {
	out := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '.'
	}, text)
	if len(out) > maxLabelValue {
		sum := sha256.Sum256([]byte(text))
		out = out[:maxLabelValue-labelHash-1] + "-" + hex.EncodeToString(sum[:])[:labelHash]
	}
	return strings.Trim(out, "-_.")
}

// runObject builds the run. The template is not its owner: the run outlives the template, and
// the template's controller must not clean it up before Verify sees its end.
func runObject(p *workflowPlan, template *object) (*unstructured.Unstructured, error) {
	build := workflowObject
	if p.Kind == "Job" {
		build = jobObject
	}
	o, err := build(p, template.Object)
	if err != nil {
		return nil, err
	}
	run := &unstructured.Unstructured{Object: o}
	run.SetAPIVersion(p.APIVersion)
	run.SetKind(p.Kind)
	run.SetName(p.Name)
	run.SetNamespace(p.Namespace)
	labels := run.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{
		identityLabel: p.Identity, agentLabel: labelValue(p.Agent), targetLabel: labelValue(p.Target.Name), workflowLabel: labelValue(p.Called),
	})
	run.SetLabels(labels)
	annotations := run.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, map[string]string{agentLabel: p.Agent, targetLabel: strings.TrimSpace(p.Target.Kind + " " + p.Target.String())})
	run.SetAnnotations(annotations)
	return run, nil
}

// workflowObject builds a Workflow that refers to its template.
func workflowObject(p *workflowPlan, template map[string]any) (map[string]any, error) {
	from, _, err := unstructured.NestedMap(template, "spec")
	if err != nil {
		return nil, fmt.Errorf("read its spec: %w", err)
	}
	if err := checkParameters(from, p.Parameters); err != nil {
		return nil, err
	}
	spec := map[string]any{"workflowTemplateRef": map[string]any{"name": p.Template.Name}}
	if len(p.Parameters) > 0 {
		var list []any
		for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
			list = append(list, map[string]any{"name": name, "value": p.Parameters[name]})
		}
		spec["arguments"] = map[string]any{"parameters": list}
	}
	if by := ownAffinity(from); by != "" && (p.Placement.AntiAffinity != nil || p.Placement.Affinity != nil) {
		return nil, fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", by)
	}
	if err := placeNew(spec, from, p.Placement); err != nil {
		return nil, err
	}
	keep, _, _ := unstructured.NestedMap(from, "ttlStrategy")
	if len(keep) == 0 {
		keep = map[string]any{"secondsAfterCompletion": keepRun}
	}
	for when, seconds := range keep {
		if n, ok := seconds.(int64); ok {
			keep[when] = max(n, keepRunAtLeast)
		}
	}
	spec["ttlStrategy"] = keep
	return map[string]any{"spec": spec}, nil
}

// checkParameters finds parameters that the template lacks, which Argo would ignore, and
// required ones that are missing.
func checkParameters(spec map[string]any, given map[string]string) error {
	known := map[string]bool{}
	var errs []error
	for _, parameter := range fieldpath.Maps(spec, "arguments", "parameters") {
		name, _ := parameter["name"].(string)
		known[name] = true
		_, has := given[name]
		if !has && parameter["value"] == nil && parameter["default"] == nil && parameter["valueFrom"] == nil {
			errs = append(errs, fmt.Errorf("with.parameters.%s: is missing, and the template has no value for it", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			errs = append(errs, fmt.Errorf("with.parameters.%s: the template has no such parameter; it has %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
		}
	}
	return errors.Join(errs...)
}

// placeNew adds a placement to the template's in the run's specification.
func placeNew(spec, template map[string]any, w verbparams.Placement) error {
	next := placement{spec: template}
	next.add(w)
	for _, e := range next.edits {
		if err := unstructured.SetNestedField(spec, e.value, e.path...); err != nil {
			return fmt.Errorf("write %s: %w", strings.Join(e.path, "."), err)
		}
	}
	// Argo takes the run's affinity instead of the template's, so it gets both.
	was, _, _ := unstructured.NestedMap(template, "affinity")
	if is, set := spec["affinity"].(map[string]any); set {
		spec["affinity"] = overlay(was, is)
	}
	return nil
}

// jobObject builds the CronJob's Job, with the parameters as environment variables.
func jobObject(p *workflowPlan, template map[string]any) (map[string]any, error) {
	o, has, err := unstructured.NestedMap(template, "spec", "jobTemplate")
	if err != nil || !has {
		return nil, errors.Join(errors.New("it has no jobTemplate"), err)
	}
	keep, has, _ := unstructured.NestedInt64(o, "spec", "ttlSecondsAfterFinished")
	if !has {
		keep = keepRun
	}
	if err := unstructured.SetNestedField(o, max(keep, keepRunAtLeast), "spec", "ttlSecondsAfterFinished"); err != nil {
		return nil, fmt.Errorf("write its spec: %w", err)
	}
	pods, _, err := unstructured.NestedMap(o, "spec", "template", "spec")
	if err != nil {
		return nil, fmt.Errorf("read its pod template: %w", err)
	}
	if err := placeNew(pods, pods, p.Placement); err != nil {
		return nil, err
	}
	for _, list := range []string{"initContainers", "containers"} {
		for _, container := range fieldpath.Maps(pods, list) {
			setVariables(container, p.Parameters)
		}
	}
	if err := unstructured.SetNestedMap(o, pods, "spec", "template", "spec"); err != nil {
		return nil, fmt.Errorf("write its pod template: %w", err)
	}
	return o, unstructured.SetNestedField(o, labelValue(p.Called), "spec", "template", "metadata", "labels", workflowLabel)
}

// setVariables replaces variables of the same names in place, since later ones may refer to
// them.
func setVariables(container map[string]any, variables map[string]string) {
	list, _ := container["env"].([]any)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		one := map[string]any{"name": name, "value": variables[name]}
		at := slices.IndexFunc(list, func(v any) bool { m, _ := v.(map[string]any); return m["name"] == name })
		if at < 0 {
			list = append(list, one)
			continue
		}
		list[at] = one
	}
	if len(list) > 0 {
		container["env"] = list
	}
}
