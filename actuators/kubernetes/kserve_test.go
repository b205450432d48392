package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// kserve stands in for KServe's controller: it writes what that writes for one
// InferenceService, each time that it is told to. Deployments are real ones.
type kserve struct {
	t        *testing.T
	c        *testcluster.Cluster
	ns, name string
	gateway  bool // enableGatewayApi
	splits   bool // as since 0.21
	failure  map[string]any
	copies   int64

	template                      string
	revisions                     int
	ready, rolledOut, rolledOutBy string // revisions: ready, and had all requests, and the one before
	child                         int64
}

func kserveOf(t *testing.T, c *testcluster.Cluster, ns, name string) *kserve {
	return &kserve{t: t, c: c, ns: ns, name: name, gateway: true, splits: true, copies: 1, child: 40}
}

func (k *kserve) object() *unstructured.Unstructured {
	return fetch(k.t, k.c, inferenceVersion, inferenceKind, k.ns, k.name)
}

// reconcile writes the status; up reports whether new pods have become ready.
func (k *kserve) reconcile(up bool) {
	k.t.Helper()
	o := k.object()
	k.child++
	status := map[string]any{"observedGeneration": k.child}
	if servingModeOf(o.Object) == standardMode {
		k.standard(o, status, up)
	} else {
		k.knative(o, status, up)
	}
	ready, transition := "False", "InProgress"
	if up {
		ready, transition = "True", "UpToDate"
	}
	status["conditions"] = append([]any{
		map[string]any{"type": "PredictorReady", "status": ready, "reason": "Storage", "message": "fetching"},
		map[string]any{"type": "Ready", "status": ready, "reason": "PredictorNotReady"},
	}, status["conditions"].([]any)...)
	model := map[string]any{"transitionStatus": transition, "copies": map[string]any{"totalCopies": k.copies, "failedCopies": int64(0)}, "lastFailureInfo": nil}
	if k.failure != nil {
		model["transitionStatus"], model["lastFailureInfo"] = "BlockedByFailedLoad", k.failure
	}
	status["modelStatus"] = model
	raw, err := json.Marshal(map[string]any{"status": status})
	require.NoError(k.t, err)
	k.c.Patch(k.t, inferenceServices, k.ns, k.name, string(raw), "status")
}

func (k *kserve) knative(o *unstructured.Unstructured, status map[string]any, up bool) {
	predictor, _, _ := unstructured.NestedMap(o.Object, "spec", "predictor")
	percent, split := fieldpath.Int(predictor, "canaryTrafficPercent")
	delete(predictor, "canaryTrafficPercent")
	template, err := json.Marshal([]any{predictor, o.GetAnnotations()})
	require.NoError(k.t, err)
	if string(template) != k.template {
		k.template = string(template)
		k.revisions++
	}
	created := fmt.Sprintf("%s-predictor-%05d", k.name, k.revisions)
	if up {
		k.ready = created
	}
	rest := k.rolledOut
	if k.rolledOut == k.ready && split && percent < 100 {
		rest = k.rolledOutBy
	}
	latest, traffic := int64(100), []any{}
	if split && rest != "" {
		latest = percent
		if percent < 100 {
			traffic = append(traffic, map[string]any{"tag": "prev", "revisionName": rest, "latestRevision": false, "percent": 100 - percent})
		}
	}
	traffic = append(traffic, map[string]any{"revisionName": k.ready, "latestRevision": true, "percent": latest})
	if latest == 100 && k.ready != k.rolledOut {
		k.rolledOut, k.rolledOutBy = k.ready, k.rolledOut
	}
	status["deploymentMode"], status["conditions"] = "Knative", []any{}
	status["components"] = map[string]any{"predictor": map[string]any{
		"latestCreatedRevision": created, "latestReadyRevision": k.ready, "latestRolledoutRevision": k.rolledOut, "previousRolledoutRevision": k.rolledOutBy, "traffic": traffic,
	}}
}

func (k *kserve) standard(o *unstructured.Unstructured, status map[string]any, up bool) {
	stable, _, _ := unstructured.NestedMap(o.Object, "spec", "predictor")
	wanted := map[string]int64{}
	k.deployment(predictorService(k.name, stableName(o.Object)), stable)
	rest := int64(100)
	var statuses []any
	for _, canary := range fieldpath.Maps(o.Object, "spec", "canary") {
		name, share := canaryName(canary), int64(canaryPercent(canary))
		fields, _, _ := unstructured.NestedMap(canary, "predictor")
		k.deployment(predictorService(k.name, name), overlay(stable, fields))
		statuses = append(statuses, map[string]any{"name": name, "ready": up, "trafficPercent": share})
		if up && k.splits {
			wanted[predictorService(k.name, name)] = share
			rest -= share
		}
	}
	wanted[predictorService(k.name, stableName(o.Object))] = rest
	status["conditions"] = []any{}
	if statuses != nil {
		status["conditions"] = []any{map[string]any{"type": "CanaryPredictorReady", "status": map[bool]string{true: "True", false: "False"}[up], "reason": map[bool]string{true: "AllCanariesReady", false: "CanariesNotReady"}[up]}}
	}
	status["deploymentMode"], status["canaryStatuses"] = "Standard", statuses
	status["components"] = map[string]any{"predictor": map[string]any{"url": "http://" + k.name}}
	if k.gateway {
		k.route(o, wanted)
	}
}

func (k *kserve) deployment(name string, predictor map[string]any) {
	at, err := modelAt(predictor)
	require.NoError(k.t, err)
	uri := fieldpath.Text(predictor, at, "storageUri")
	_, err = k.c.ApplyAs(testContext(k.t), "kserve-controller-manager", fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %s}
spec:
  selector: {matchLabels: {app: isvc.%[1]s}}
  template:
    metadata: {labels: {app: isvc.%[1]s}, annotations: {internal.serving.kserve.io/storage-initializer-sourceuri: %[3]q}}
    spec: {containers: [{name: kserve-container, image: none}]}
`, name, k.ns, uri))
	require.NoError(k.t, err)
}

func (k *kserve) route(o *unstructured.Unstructured, weights map[string]int64) {
	var refs []any
	for _, service := range slices.Sorted(maps.Keys(weights)) {
		refs = append(refs, map[string]any{"group": "", "kind": "Service", "name": service, "namespace": k.ns, "port": int64(80), "weight": weights[service]})
	}
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayVersion, "kind": "HTTPRoute",
		"metadata": map[string]any{"name": predictorService(k.name, ""), "namespace": k.ns, "ownerReferences": []any{map[string]any{
			"apiVersion": inferenceVersion, "kind": inferenceKind, "name": k.name, "uid": string(o.GetUID()), "controller": true,
		}}},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "kserve-ingress-gateway", "namespace": "kserve"}},
			"rules": []any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "RegularExpression", "value": "^/.*$"}}},
				"backendRefs": refs,
			}},
		},
	}}
	gvr := schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	_, err := k.c.Client().Dynamic.Resource(gvr).Namespace(k.ns).Apply(testContext(k.t), route.GetName(), route, metav1.ApplyOptions{FieldManager: "kserve-controller-manager", Force: true})
	require.NoError(k.t, err)
}

// podsUp plays the kubelet for the pods of a Deployment until it is complete.
func (k *kserve) podsUp(deployment string) {
	k.t.Helper()
	soon(k.t, deployment+" is complete", func() bool {
		list, err := k.c.Client().Dynamic.Resource(podsResource).Namespace(k.ns).List(testContext(k.t), metav1.ListOptions{LabelSelector: "app=isvc." + deployment})
		require.NoError(k.t, err)
		for i, pod := range list.Items {
			if fieldpath.Text(pod.Object, "status", "phase") == "Pending" && pod.GetDeletionTimestamp() == nil {
				k.c.RunPod(k.t, pod, "node-1", fmt.Sprintf("10.0.0.%d", i+1), 0)
			}
		}
		return deploymentCompleteNow(k.t, k.c, k.ns, deployment)
	})
}

func deploymentCompleteNow(t *testing.T, c *testcluster.Cluster, ns, name string) bool {
	d, err := c.Client().Dynamic.Resource(deploymentsResource).Namespace(ns).Get(testContext(t), name, metav1.GetOptions{})
	require.True(t, err == nil || apierrors.IsNotFound(err), "%v", err)
	return err == nil && deploymentComplete(d.Object).Status == "done"
}
