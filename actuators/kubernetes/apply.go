package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Apply is the verb `apply`: it writes any object in the target's namespace, except of
// protected kinds. A field that it set before and that is no longer given is removed, unless another
// manager owns it as well.
func Apply(c *Cluster) engine.Actuator { return applier{c} }

var _ engine.Verifier = applier{}

type applier struct{ *Cluster }

func (a applier) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Apply
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	want := &unstructured.Unstructured{Object: plain(w.Object).(map[string]any)} // a copy, and not empty
	if ns := want.GetNamespace(); ns != "" && ns != p.Target.Namespace {
		return engine.Change{}, refuse(p, []string{fmt.Sprintf("with.object.metadata.namespace: %s is not the target's; write %s, or leave it out", ns, p.Target.Namespace)})
	}
	kind, version, name := want.GetKind(), want.GetAPIVersion(), want.GetName()
	mapping, err := a.Client.Kinds.Find(version, kind)
	if err != nil {
		return engine.Change{}, fmt.Errorf("apply %s %s: %w", kind, name, err)
	}
	if strings.Contains(mapping.Resource.Resource, "/") {
		return engine.Change{}, refuse(p, []string{fmt.Sprintf("with.object.kind: %s is a subresource (%s), and no policy may write that", withArticle(kind), mapping.Resource.Resource)})
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return engine.Change{}, refuse(p, []string{fmt.Sprintf("with.object.kind: a %s is of the whole cluster, and no policy may write that; let a person apply it", kind)})
	}
	if _, sized, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "replicas"); sized && kind == p.Target.Kind && name == p.Target.Name {
		return engine.Change{}, refuse(p, []string{"with.object.spec.replicas: the target's replicas have guards; use the primitive `scale`"})
	}
	set := want.Object
	for _, field := range []string{"apiVersion", "kind"} {
		delete(set, field)
	}
	unstructured.RemoveNestedField(set, "metadata", "name")
	unstructured.RemoveNestedField(set, "metadata", "namespace")
	o, err := a.get(ctx, version, kind, p.Target.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		set = merge(map[string]any{"metadata": managedByUs()}, set)
		patch := objectPatch{APIVersion: version, Kind: kind, Namespace: p.Target.Namespace, Name: name, Manager: managerOf("apply"), Set: set}
		return engine.Planned(p, false, "make "+patch.String(), patchPlan{Write: patch, Creates: true})
	case err != nil:
		return engine.Change{}, fmt.Errorf("apply: %w", err)
	}
	patch := patchOf(o, "apply", keepLabel(o, set))
	patch.APIVersion = version // the version that the fields are written in
	return a.planPatch(ctx, p, o, patch, refuseOtherVerbs)
}

// keepLabel adds the label of objects that we created, if it is there, since leaving it out
// would remove it.
func keepLabel(o *object, set map[string]any) map[string]any {
	own, _, _ := unstructured.NestedStringMap(appliedAs(o, managerOf("apply")), "metadata", "labels")
	if own["app.kubernetes.io/managed-by"] != "scanflow" {
		return set
	}
	return merge(map[string]any{"metadata": managedByUs()}, set)
}

// refuseOtherVerbs refuses fields that another of our verbs has written, because that verb's
// claim and guards would be bypassed.
func refuseOtherVerbs(o *object, changes []fieldChange) error {
	for _, c := range changes {
		managers := managersAt(o, c.path)
		other := slices.IndexFunc(managers, func(w clusterview.FieldManager) bool { return ours(w) && w.Manager != managerOf("apply") })
		if other >= 0 && !slices.ContainsFunc(managers, func(w clusterview.FieldManager) bool { return w.Manager == managerOf("apply") }) {
			return &OwnedError{Field: c.path.String(), Owner: managers[other].String(), Fix: "leave it out of the object, and use that verb"}
		}
	}
	return nil
}

func (a applier) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if err := checkPlanned(c, "apply"); err != nil {
		return engine.Outcome{}, err
	}
	return a.applyPatch(ctx, c)
}

func (a applier) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return a.verifyPatch(ctx, c, "written")
}

func (a applier) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if err := checkPlanned(c, "apply"); err != nil {
		return engine.Outcome{}, err
	}
	return a.undoPatch(ctx, c)
}
