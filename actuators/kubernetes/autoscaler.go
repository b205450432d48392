package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Autoscaler is the verb `autoscaler`: it sets the bounds and metrics of a target's
// autoscaler, and creates one if there is none.
func Autoscaler(c *Cluster) engine.Actuator { return autoscalerVerb{c} }

var _ engine.Verifier = autoscalerVerb{}

type autoscalerVerb struct{ *Cluster }

func (b autoscalerVerb) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Autoscaler
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	if isInferenceService(p.Target.APIVersion, p.Target.Kind) {
		return b.planInference(ctx, p, w)
	}
	id := p.Target.ID()
	fail := func(err error) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("autoscaler %s: %w", id, err)
	}
	owner, owned, err := b.View.AutoscalerOf(ctx, id)
	if err != nil {
		return fail(err)
	}
	kind, name, err := choose(w, owner, owned, id)
	if err != nil {
		return fail(err)
	}
	names := fieldsOf(kind)
	set, err := names.set(w)
	if err != nil {
		return fail(err)
	}
	o, err := b.get(ctx, names.apiVersion, kind, id.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return b.planNew(p, w, names, kind, name, set)
	case err != nil:
		return fail(err)
	}
	if err := names.fits(o, w, p.Target); err != nil {
		return fail(err)
	}
	patch := patchOf(o, "autoscaler", merge(appliedAs(o, managerOf("autoscaler")), set))
	change, err := b.planPatch(ctx, p, o, patch)
	if err != nil {
		return engine.Change{}, err
	}
	pause := clusterview.KEDAPauseOf(pausing(o))
	switch {
	case pause.Whole && !change.NoOp:
		return fail(fmt.Errorf("%s is %s, and KEDA follows none of its bounds meanwhile; to resume it: %s", patch, pause, pause.Resume(id.Namespace, name)))
	case pause.String() != "":
		change.Diff += "; it is " + pause.String()
	}
	return change, nil
}

// pausing returns the annotations of a ScaledObject; nil of another kind.
func pausing(o *object) map[string]string {
	if o.GetKind() != verbparams.ScaledObject {
		return nil
	}
	return o.GetAnnotations()
}

// choose returns the kind and name of the autoscaler to write. Two autoscalers of one target
// would fight.
func choose(w verbparams.Autoscaler, owner clusterview.Autoscaler, owned bool, id engine.TargetID) (kind, name string, err error) {
	if owned && (w.Kind != "" && w.Kind != owner.Kind || w.Name != "" && w.Name != owner.Name) {
		return "", "", &OwnedError{
			Field: "spec.replicas of " + id.String(), Owner: owner.String(),
			Fix: "leave kind and name out to change that one, or delete it",
		}
	}
	return cmp.Or(w.Kind, owner.Kind, verbparams.HorizontalPodAutoscaler), cmp.Or(w.Name, owner.Name, id.Name), nil
}

func (b autoscalerVerb) planNew(p engine.Proposal, w verbparams.Autoscaler, f scalerFields, kind, name string, set map[string]any) (engine.Change, error) {
	var missing []string
	if w.Max == nil {
		missing = append(missing, fmt.Sprintf("with.max: there is no %s %s yet; set it, to make one", kind, name))
	}
	if len(w.Metrics)+len(w.Triggers) == 0 {
		missing = append(missing, fmt.Sprintf("with.%s: there is no %s %s yet; set them, to make one", f.signals, kind, name))
	}
	if err := refuse(p, missing); err != nil {
		return engine.Change{}, err
	}
	spec := set["spec"].(map[string]any)
	spec["scaleTargetRef"] = map[string]any{"apiVersion": p.Target.APIVersion, "kind": p.Target.Kind, "name": p.Target.Name}
	set["metadata"] = managedByUs()
	patch := objectPatch{APIVersion: f.apiVersion, Kind: kind, Namespace: p.Target.Namespace, Name: name, Manager: managerOf("autoscaler"), Set: set}
	lowest := "its kind's fewest"
	if w.Min != nil {
		lowest = fmt.Sprint(*w.Min)
	}
	diff := fmt.Sprintf("make %s: %s to %d replicas, by %d %s", patch, lowest, *w.Max, len(w.Metrics)+len(w.Triggers), f.signals)
	return engine.Planned(p, false, diff, patchPlan{Write: patch, Creates: true})
}

// managedByUs is the label of objects that we create.
func managedByUs() map[string]any {
	return map[string]any{"labels": map[string]any{"app.kubernetes.io/managed-by": "scanflow"}}
}

// scalerFields are the names of an autoscaler's fields below spec.
type scalerFields struct {
	apiVersion, min, max, signals string
	leastMin, leastMax            int // defaults
}

func fieldsOf(kind string) scalerFields {
	if kind == verbparams.ScaledObject {
		return scalerFields{clusterview.ScaledObjectVersion, "minReplicaCount", "maxReplicaCount", "triggers", 0, 100}
	}
	return scalerFields{clusterview.HPAVersion, "minReplicas", "maxReplicas", "metrics", 1, 1}
}

// set returns the given fields.
func (f scalerFields) set(w verbparams.Autoscaler) (map[string]any, error) {
	spec := map[string]any{}
	if w.Min != nil {
		spec[f.min] = int64(*w.Min)
	}
	if w.Max != nil {
		spec[f.max] = int64(*w.Max)
	}
	given := w.Metrics
	switch {
	case w.Metrics != nil && f.signals != "metrics":
		return nil, errors.New("with.metrics: the target's autoscaler is a ScaledObject; set triggers")
	case w.Triggers != nil && f.signals != "triggers":
		return nil, errors.New("with.triggers: the target's autoscaler is a HorizontalPodAutoscaler; set metrics, or kind: ScaledObject where it has none yet")
	case w.Triggers != nil:
		given = w.Triggers
	}
	if given != nil {
		spec[f.signals] = plain(given)
	}
	return map[string]any{"spec": spec}, nil
}

// fits checks that the existing autoscaler scales the target, and that the given bounds fit
// those it keeps.
func (f scalerFields) fits(o *object, w verbparams.Autoscaler, t engine.Target) error {
	ref := func(name string) string { return fieldpath.Text(o.Object, "spec", "scaleTargetRef", name) }
	kind, name := ref("kind"), ref("name")
	if kind == "" && o.GetKind() == verbparams.ScaledObject {
		kind = "Deployment"
	}
	if kind != t.Kind || name != t.Name {
		return fmt.Errorf("%s %s scales the %s %s; give another name", o.GetKind(), o.GetName(), kind, name)
	}
	bound := func(given *int, field string, least int) int64 {
		if given != nil {
			return int64(*given)
		}
		if n, ok := fieldpath.Int(o.Object, "spec", field); ok {
			return n
		}
		return int64(least)
	}
	low, high := bound(w.Min, f.min, f.leastMin), bound(w.Max, f.max, f.leastMax)
	if low > high {
		by := ""
		if _, set := fieldpath.Int(o.Object, "spec", f.max); !set && w.Max == nil {
			by = ", which is the default"
		}
		return fmt.Errorf("%s %s would have a min of %d above its max of %d%s; set both", o.GetKind(), o.GetName(), low, high, by)
	}
	if idle, ok := fieldpath.Int(o.Object, "spec", "idleReplicaCount"); ok && idle >= low && o.GetKind() == verbparams.ScaledObject {
		return fmt.Errorf("%s %s would have a min of %d, which must be above its idleReplicaCount of %d; set a higher min, or remove idleReplicaCount", o.GetKind(), o.GetName(), low, idle)
	}
	return nil
}

func (b autoscalerVerb) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return b.applyPatch(ctx, c)
}

// Verify is done once the autoscaler's controller follows its bounds.
func (b autoscalerVerb) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	o, w, still, err := b.stillApplied(ctx, c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if still && isInferenceService(w.APIVersion, w.Kind) {
		return b.verifyInference(ctx, c, o)
	}
	if !still {
		return overwritten(w), nil
	}
	if w.Kind == verbparams.ScaledObject {
		return b.followedByKEDA(ctx, o, w)
	}
	return followedByHPA(o, w), nil
}

func (b autoscalerVerb) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return b.undoPatch(ctx, c)
}
