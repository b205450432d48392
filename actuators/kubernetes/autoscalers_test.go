package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const hpa = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: by-load}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 8
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
`

const scaledObject = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: by-queue, annotations: {autoscaling.keda.sh/paused-replicas: "0"}}
spec:
  scaleTargetRef: {name: web}
  maxReplicaCount: 5
  triggers: [{type: cron, metadata: {timezone: UTC, start: 0 0 * * *, end: 0 1 * * *, desiredReplicas: "2"}}]
`

func scalerOf(t *testing.T, b *bench, name string) (clusterview.Autoscaler, bool) {
	t.Helper()
	a, owned, err := b.View.AutoscalerOf(testContext(t), engine.TargetID{Kind: "Deployment", Namespace: b.ns, Name: name})
	require.NoError(t, err)
	return a, owned
}

// An autoscaler that names the target owns its replicas: HPA objects are the API
// server's own, and the ScaledObject's definition comes and goes while we look.
func TestAnAutoscalerOwnsTheReplicas(t *testing.T) {
	b := newBench(t)
	crds := b.admin.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	remove := func() {
		err := crds.Delete(testContext(t), "scaledobjects.keda.sh", metav1.DeleteOptions{})
		require.True(t, err == nil || apierrors.IsNotFound(err), "%v", err)
		soon(t, "no ScaledObjects are served", func() bool {
			_, err := crds.Get(context.Background(), "scaledobjects.keda.sh", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	}
	remove()
	client, err := apiclient.FromConfig(b.admin.Client().Config, "default", apiclient.Options{}) // that never heard of KEDA
	require.NoError(t, err)
	b.Cluster = &Cluster{Client: client, View: testView(t, clusterview.Options{Client: client}), Clock: engine.WallClock{}}
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	b.create(t, "kubectl-create", web(b.ns, "other", 1, ""))
	b.settled(t, "apps/v1", "Deployment", "web")

	_, owned := scalerOf(t, b, "web")
	require.False(t, owned)
	b.create(t, "kubectl-create", hpa)
	soon(t, "the HPA is seen", func() bool { _, owned := scalerOf(t, b, "web"); return owned })
	a, _ := scalerOf(t, b, "web")
	require.Equal(t, "HorizontalPodAutoscaler by-load (2 to 8 replicas)", a.String())
	_, owned = scalerOf(t, b, "other")
	require.False(t, owned)

	b.rescale(t, "kube-controller-manager", "web", 3) // as the autoscaler's controller does
	target := b.settled(t, "apps/v1", "Deployment", "web")
	_, err = Scale(b.Cluster).Plan(testContext(t), proposal("scale", target, to(5)))
	var refused *OwnedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "spec.replicas of "+b.ns+"/web belongs to HorizontalPodAutoscaler by-load (2 to 8 replicas); use the primitive `autoscaler`, which changes its bounds, or delete it", err.Error())
	require.True(t, plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3))).NoOp, "what is so already needs no owner")

	b.merge(t, "kubectl-edit", "autoscaling/v2", "HorizontalPodAutoscaler", "by-load", `{"spec": {"maxReplicas": 9}}`)
	soon(t, "new bounds are seen", func() bool { a, _ := scalerOf(t, b, "web"); return a.Max == 9 })
	b.merge(t, "kubectl-edit", "autoscaling/v2", "HorizontalPodAutoscaler", "by-load", `{"spec": {"scaleTargetRef": {"name": "other"}}}`)
	soon(t, "the other is seen to have it", func() bool {
		_, first := scalerOf(t, b, "web")
		_, second := scalerOf(t, b, "other")
		return !first && second
	})
	b.merge(t, "kubectl-edit", "autoscaling/v2", "HorizontalPodAutoscaler", "by-load", `{"spec": {"scaleTargetRef": {"name": "web"}}}`)

	b.admin.InstallCRDs(t, "scaledobject")
	soon(t, "the kind is found", func() bool {
		_, err := b.Client.Kinds.Find(clusterview.ScaledObjectVersion, "ScaledObject")
		return err == nil
	})
	b.create(t, "kubectl-create", scaledObject)
	soon(t, "KEDA's comes first, though it is paused, once it is installed", func() bool {
		a, _ := scalerOf(t, b, "web")
		return a.String() == "ScaledObject by-queue (0 to 5 replicas), which is paused at 0 replicas (annotation autoscaling.keda.sh/paused-replicas)"
	})
	require.NoError(t, b.on(t, clusterview.ScaledObjectVersion, "ScaledObject").Delete(testContext(t), "by-queue", metav1.DeleteOptions{}))
	soon(t, "the HPA is left", func() bool { a, _ := scalerOf(t, b, "web"); return a.Kind == "HorizontalPodAutoscaler" })
	require.NoError(t, b.on(t, clusterview.HPAVersion, "HorizontalPodAutoscaler").Delete(testContext(t), "by-load", metav1.DeleteOptions{}))
	soon(t, "none is left", func() bool { _, owned := scalerOf(t, b, "web"); return !owned })
}

// Without the right to list autoscalers, the verb can't know that there is none.
func TestReplicasAreNotWrittenWhileTheirOwnerIsNotKnown(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	file := b.admin.KubeconfigFor(t, b.ns, "half")
	b.admin.Apply(t, strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: half, namespace: NS}
rules:
- {apiGroups: [apps, ""], resources: [deployments, pods, deployments/scale], verbs: [get, list, watch, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: half, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: half}
subjects: [{kind: ServiceAccount, name: half, namespace: NS}]
`, "NS", b.ns))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: file})
	require.NoError(t, err)
	b.Cluster = &Cluster{Client: client, View: testView(t, clusterview.Options{Client: client, Namespace: b.ns}), Clock: engine.WallClock{}}
	target := b.settled(t, "apps/v1", "Deployment", "web")
	_, err = Scale(b.Cluster).Plan(testContext(t), proposal("scale", target, to(5)))
	require.ErrorContains(t, err, "find the autoscaler of Deployment "+b.ns+"/web: list")
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

func TestTheAutoscalerVerb(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "scaledobject")
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	verb := autoscalerVerb{b.Cluster}
	cpu := []any{map[string]any{"type": "Resource", "resource": map[string]any{"name": "cpu", "target": map[string]any{"type": "AverageValue", "averageValue": "1000m"}}}}
	try := func(with map[string]any) error {
		_, err := verb.Plan(testContext(t), proposal("autoscaler", target, with))
		return err
	}

	require.ErrorContains(t, try(map[string]any{"min": 2.0}), "with.max: there is no HorizontalPodAutoscaler web yet; set it, to make one\nwith.metrics:")
	require.ErrorContains(t, try(map[string]any{"min": 3.0, "max": 2.0}), "min: must not be above max")
	require.ErrorContains(t, try(map[string]any{"max": 2.0, "triggers": []any{map[string]any{"type": "cron"}}}), "kind: ScaledObject")

	made := done(t, verb, proposal("autoscaler", target, map[string]any{"min": 2.0, "max": 6.0, "metrics": cpu}))
	require.Equal(t, "make HorizontalPodAutoscaler "+b.ns+"/web: 2 to 6 replicas, by 1 metrics", made.Diff)
	followed := func(change engine.Change, desired int64) {
		soon(t, "its controller follows", func() bool { // the real one may write between
			b.hpaController(t, "web", desired)
			out, err := verify(t, verb, change)
			require.NoError(t, err)
			return out.Status == engine.Done
		})
	}
	followed(made, 2)
	_, err := verb.Undo(testContext(t), made)
	require.ErrorContains(t, err, "kubectl delete HorizontalPodAutoscaler -n "+b.ns+" web")
	soon(t, "it is seen", func() bool { _, owned := scalerOf(t, b, "web"); return owned })

	with := map[string]any{"min": 2.0, "max": 6.0, "metrics": cpu}
	require.True(t, plannedOf(t, verb, later(proposal("autoscaler", target, with))).NoOp, "1000m and 1 are the same")

	up := done(t, verb, later(proposal("autoscaler", target, map[string]any{"max": 9.0})))
	require.Equal(t, "HorizontalPodAutoscaler "+b.ns+"/web: spec.maxReplicas 6 -> 9", up.Diff)
	bounds := func() (low, high int64, metrics int) {
		o := b.read(t, clusterview.HPAVersion, "HorizontalPodAutoscaler", "web")
		low, _, _ = unstructured.NestedInt64(o.Object, "spec", "minReplicas")
		high, _, _ = unstructured.NestedInt64(o.Object, "spec", "maxReplicas")
		return low, high, len(fieldpath.Maps(o.Object, "spec", "metrics"))
	}
	low, high, metrics := bounds()
	require.Equal(t, []int64{2, 9, 1}, []int64{low, high, int64(metrics)}, "what it set before stays")
	followed(up, 9)
	_, err = verb.Undo(testContext(t), up)
	require.NoError(t, err)
	_, high, _ = bounds()
	require.Equal(t, int64(6), high)

	require.ErrorContains(t, try(map[string]any{"min": 7.0}), "would have a min of 7 above its max of 6")
	require.ErrorContains(t, try(map[string]any{"kind": "ScaledObject", "max": 7.0}), "belongs to HorizontalPodAutoscaler web (2 to 6 replicas)")
	require.ErrorContains(t, try(map[string]any{"name": "second", "max": 7.0}), "belongs to HorizontalPodAutoscaler web")

	b.merge(t, "kubectl-edit", clusterview.HPAVersion, "HorizontalPodAutoscaler", "web", `{"spec": {"maxReplicas": 4}}`)
	_, err = verb.Plan(testContext(t), later(proposal("autoscaler", target, map[string]any{"max": 7.0})))
	var owned *OwnedError
	require.ErrorAs(t, err, &owned)
	require.Contains(t, err.Error(), "spec.maxReplicas belongs to kubectl-edit (Update, 20")
	require.Contains(t, err.Error(), "kubectl annotate horizontalpodautoscaler -n "+b.ns+" web scanflow.dev/take-over=")
	require.Contains(t, done(t, verb, later(proposal("autoscaler", target, map[string]any{"min": 3.0}))).Diff, "spec.minReplicas 2 -> 3", "the rest is ours")
	_, high, _ = bounds()
	require.Equal(t, int64(4), high, "theirs stays theirs")
}

// hpaController writes the status as the controller of HorizontalPodAutoscalers does, whose own
// first look comes after 15 s.
func (b *bench) hpaController(t *testing.T, name string, desired int64) {
	t.Helper()
	o := b.read(t, clusterview.HPAVersion, "HorizontalPodAutoscaler", name)
	o.Object["status"] = map[string]any{
		"currentReplicas": int64(2), "desiredReplicas": desired, "currentMetrics": nil, "observedGeneration": o.GetGeneration(),
		"conditions": []any{
			map[string]any{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "recommended size matches current size"},
			map[string]any{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "the HPA was able to successfully calculate a replica count"},
		},
	}
	_, err := b.on(t, clusterview.HPAVersion, "HorizontalPodAutoscaler").UpdateStatus(testContext(t), o, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.True(t, err == nil || apierrors.IsConflict(err), "%v", err)
}

// What the controller of HorizontalPodAutoscalers reports, in Kubernetes 1.37 (with the
// generation) and before.
func TestAHorizontalPodAutoscalerIsFollowed(t *testing.T) {
	able := `{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "m"}`
	active := `{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "m"}`
	for _, row := range []struct {
		what, status string
		want         engine.Outcome
	}{
		{"nobody looked", `{}`, engine.Outcome{Status: engine.Running, Detail: "written: its controller has not looked at it"}},
		{"an older generation", `{"observedGeneration": 2, "desiredReplicas": 3, "conditions": [` + able + `, ` + active + `]}`, engine.Outcome{Status: engine.Running, Detail: "written: its controller has not seen it"}},
		{"this generation", `{"observedGeneration": 3, "desiredReplicas": 3, "conditions": [` + able + `, ` + active + `]}`, engine.Outcome{Status: engine.Done, Detail: "written, and its controller asks for 3 of 2 to 6 replicas"}},
		{"no generation, as before 1.37", `{"desiredReplicas": 3, "conditions": [` + able + `, ` + active + `]}`, engine.Outcome{Status: engine.Done, Detail: "written, and its controller asks for 3 of 2 to 6 replicas"}},
		{"no generation, and the bounds of before", `{"desiredReplicas": 9, "conditions": [` + able + `, ` + active + `]}`, engine.Outcome{Status: engine.Running, Detail: "written: its controller asks for 9 replicas, and not yet for 2 to 6"}},
		{"no target", `{"conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "deployments.apps \"web\" not found"}]}`, engine.Outcome{Status: engine.Running, Detail: "written: its controller can't scale: FailedGetScale: deployments.apps \"web\" not found", Obstacle: "FailedGetScale: deployments.apps \"web\" not found"}},
		{"no metrics", `{"desiredReplicas": 6, "conditions": [` + able + `, {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}]}`, engine.Outcome{Status: engine.Done, Detail: "written, and its controller asks for 6 of 2 to 6 replicas; it does not scale by its metrics: FailedGetResourceMetric: no metrics"}},
		{"a target of 0 replicas", `{"desiredReplicas": 0, "conditions": [` + able + `, {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": "scaling is disabled since the replica count of the target is zero"}]}`, engine.Outcome{Status: engine.Done, Detail: "written; it scales nothing now: ScalingDisabled: scaling is disabled since the replica count of the target is zero"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			o := objectOf(t, `{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 2, "maxReplicas": 6}, "status": `+row.status+`}`)
			o.SetGeneration(3)
			out := followedByHPA(&object{o, nil}, objectPatch{Kind: "HorizontalPodAutoscaler", Namespace: "a", Name: "web"})
			row.want.Detail = "HorizontalPodAutoscaler a/web is " + row.want.Detail
			require.Equal(t, row.want, out)
		})
	}
}

// keda writes what KEDA writes of a ScaledObject: its status, and the HorizontalPodAutoscaler
// that it makes; none where high is 0.
func (b *bench) keda(t *testing.T, ready string, low, high int) {
	t.Helper()
	o := b.read(t, clusterview.ScaledObjectVersion, "ScaledObject", "by-queue")
	o.Object["status"] = map[string]any{"hpaName": "keda-hpa-by-queue", "conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": "ScaledObjectCheckFailed", "message": "no such trigger"}}}
	_, err := b.on(t, clusterview.ScaledObjectVersion, "ScaledObject").UpdateStatus(testContext(t), o, metav1.UpdateOptions{FieldManager: "keda-operator"})
	require.NoError(t, err)
	if high > 0 {
		require.NoError(t, b.serverSide(t, "keda-operator", true, fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: keda-hpa-by-queue}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: %d
  maxReplicas: %d
  metrics: [{type: External, external: {metric: {name: s0-cron}, target: {type: AverageValue, averageValue: "1"}}}]
`, low, high)))
	}
}

func TestTheAutoscalerVerbOnAScaledObject(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "scaledobject")
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	b.create(t, "helm", strings.Replace(scaledObject, "paused-replicas", "note", 1))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	soon(t, "it is seen", func() bool { _, owned := scalerOf(t, b, "web"); return owned })
	verb := autoscalerVerb{b.Cluster}
	b.keda(t, "True", 1, 5)
	change := done(t, verb, proposal("autoscaler", target, map[string]any{"min": 0.0, "max": 7.0}))
	require.Contains(t, change.Diff, "spec.maxReplicaCount 5 -> 7, spec.minReplicaCount none -> 0, taken over from helm (Update, 20")
	require.Len(t, fieldpath.Maps(b.read(t, clusterview.ScaledObjectVersion, "ScaledObject", "by-queue").Object, "spec", "triggers"), 1)

	name := "ScaledObject " + b.ns + "/by-queue"
	for _, row := range []struct {
		what string
		do   func()
		want engine.Outcome
	}{
		{"KEDA has not seen it", func() {}, engine.Outcome{Status: engine.Running, Detail: name + " is written: KEDA's HorizontalPodAutoscaler keda-hpa-by-queue has 1 to 5 replicas, and not yet 1 to 7"}},
		{"KEDA refuses it", func() { b.keda(t, "False", 0, 0) }, engine.Outcome{Status: engine.Running, Detail: name + " is written: KEDA reports it as not ready: ScaledObjectCheckFailed: no such trigger", Obstacle: "ScaledObjectCheckFailed: no such trigger"}},
		{"somebody pauses it", func() {
			b.merge(t, "kubectl-annotate", clusterview.ScaledObjectVersion, "ScaledObject", "by-queue", `{"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}`)
		}, engine.Outcome{
			Status: engine.Running, Detail: name + " is written: KEDA follows none of its bounds while it is paused (annotation autoscaling.keda.sh/paused)",
			Obstacle: name + " is paused (annotation autoscaling.keda.sh/paused); to resume it: kubectl annotate scaledobject -n " + b.ns + " by-queue autoscaling.keda.sh/paused-",
		}},
		{"it is resumed, and KEDA makes another", func() {
			b.merge(t, "kubectl-annotate", clusterview.ScaledObjectVersion, "ScaledObject", "by-queue", `{"metadata": {"annotations": {"autoscaling.keda.sh/paused": null}}}`)
			require.NoError(t, b.on(t, clusterview.HPAVersion, "HorizontalPodAutoscaler").Delete(testContext(t), "keda-hpa-by-queue", metav1.DeleteOptions{}))
			b.keda(t, "True", 0, 0)
		}, engine.Outcome{Status: engine.Running, Detail: name + " is written: KEDA has not made its HorizontalPodAutoscaler keda-hpa-by-queue"}},
		{"KEDA follows", func() { b.keda(t, "True", 1, 7) }, engine.Outcome{Status: engine.Done, Detail: name + " is written, and KEDA's HorizontalPodAutoscaler keda-hpa-by-queue has 1 to 7 replicas"}},
	} {
		row.do()
		out, err := verify(t, verb, change)
		require.NoError(t, err, row.what)
		require.Equal(t, row.want, out, row.what)
	}

	_, err := verb.Undo(testContext(t), change)
	require.NoError(t, err)
	spec, _, _ := unstructured.NestedMap(b.read(t, clusterview.ScaledObjectVersion, "ScaledObject", "by-queue").Object, "spec")
	require.Equal(t, int64(5), spec["maxReplicaCount"])
	require.NotContains(t, spec, "minReplicaCount", "it was not there")

	b.merge(t, "kubectl-edit", clusterview.ScaledObjectVersion, "ScaledObject", "by-queue", `{"spec": {"minReplicaCount": 3, "maxReplicaCount": null, "idleReplicaCount": 0}}`)
	soon(t, "the bounds that count are named", func() bool {
		a, _ := scalerOf(t, b, "web")
		return a.String() == "ScaledObject by-queue (3 to 100 replicas, the most by default, 0 when idle)"
	})
	for _, row := range []struct {
		with map[string]any
		want string
	}{
		{map[string]any{"min": 101.0}, "ScaledObject by-queue would have a min of 101 above its max of 100, which is the default; set both"},
		{map[string]any{"min": 0.0, "max": 9.0}, "ScaledObject by-queue would have a min of 0, which must be above its idleReplicaCount of 0; set a higher min, or remove idleReplicaCount"},
	} {
		_, err := verb.Plan(testContext(t), proposal("autoscaler", target, row.with))
		require.ErrorContains(t, err, row.want)
	}
}

// A ScaledObject that somebody paused is named with its pause, and how to end it.
func TestAPausedScaledObject(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "scaledobject")
	b.create(t, "kubectl-create", web(b.ns, "web", 2, ""))
	b.create(t, "helm", strings.Replace(scaledObject, "autoscaling.keda.sh/paused-replicas", "note", 1))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	resume := "kubectl annotate scaledobject -n " + b.ns + " by-queue "
	for _, row := range []struct{ annotations, says, resume string }{
		{`{"autoscaling.keda.sh/paused": "true"}`, "paused (annotation autoscaling.keda.sh/paused)", "autoscaling.keda.sh/paused-"},
		{`{"autoscaling.keda.sh/paused": "yes please"}`, "paused (annotation autoscaling.keda.sh/paused)", "autoscaling.keda.sh/paused-"},
		{`{"autoscaling.keda.sh/paused-replicas": "4"}`, "paused at 4 replicas (annotation autoscaling.keda.sh/paused-replicas)", "autoscaling.keda.sh/paused-replicas-"},
		{`{"autoscaling.keda.sh/paused": "true", "autoscaling.keda.sh/paused-replicas": "0"}`, "paused at 0 replicas (annotation autoscaling.keda.sh/paused, autoscaling.keda.sh/paused-replicas)", "autoscaling.keda.sh/paused- autoscaling.keda.sh/paused-replicas-"},
		{`{"autoscaling.keda.sh/paused-scale-in": "true"}`, "paused for scaling in (annotation autoscaling.keda.sh/paused-scale-in)", ""},
		{`{"autoscaling.keda.sh/paused-scale-out": "true"}`, "paused for scaling out (annotation autoscaling.keda.sh/paused-scale-out)", ""},
		{`{"autoscaling.keda.sh/paused-scale-out": "true", "autoscaling.keda.sh/paused-scale-in": "1"}`, "paused in both directions (annotation autoscaling.keda.sh/paused-scale-in, autoscaling.keda.sh/paused-scale-out)", ""},
		{`{"autoscaling.keda.sh/paused": "false"}`, "", ""},
		{`{"autoscaling.keda.sh/force-activation": "true"}`, "", ""},
	} {
		t.Run(row.annotations, func(t *testing.T) {
			b.merge(t, "kubectl-annotate", clusterview.ScaledObjectVersion, "ScaledObject", "by-queue", `{"metadata": {"annotations": null}}`)
			b.merge(t, "kubectl-annotate", clusterview.ScaledObjectVersion, "ScaledObject", "by-queue", `{"metadata": {"annotations": `+row.annotations+`}}`)
			name := "ScaledObject by-queue (0 to 5 replicas)"
			if row.says != "" {
				name += ", which is " + row.says
			}
			soon(t, "it is seen", func() bool { a, _ := scalerOf(t, b, "web"); return a.String() == name })
			_, err := Scale(b.Cluster).Plan(testContext(t), proposal("scale", target, to(3)))
			want := "spec.replicas of " + b.ns + "/web belongs to " + name + "; "
			if row.resume != "" {
				want += "to resume it: " + resume + row.resume + "; then "
			}
			require.EqualError(t, err, want+"use the primitive `autoscaler`, which changes its bounds, or delete it")

			change, err := autoscalerVerb{b.Cluster}.Plan(testContext(t), proposal("autoscaler", target, map[string]any{"max": 8.0}))
			if row.resume != "" {
				require.EqualError(t, err, "autoscaler "+b.ns+"/web: ScaledObject "+b.ns+"/by-queue is "+row.says+", and KEDA follows none of its bounds meanwhile; to resume it: "+resume+row.resume)
				return
			}
			require.NoError(t, err)
			if row.says != "" {
				require.Contains(t, change.Diff, "; it is "+row.says)
			} else {
				require.NotContains(t, change.Diff, "paused")
			}
		})
	}
}
