package clusterview

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// many is the size of the fleet in the tests of memory.
const many = 10_000

// bigDeployment is a Deployment as it comes off the wire, about 5 KB of JSON.
func bigDeployment(t testing.TB, i int) *unstructured.Unstructured {
	managers := ""
	for _, m := range []string{"kubectl-client-side-apply", "kube-controller-manager", "scanflow-scale"} {
		managers += fmt.Sprintf(`{"manager": %q, "operation": "Update", "subresource": "scale", "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {"f:image": {}, "f:env": {"f:A": {}, "f:B": {}, "f:C": {}, "f:D": {}}, "f:resources": {"f:limits": {"f:cpu": {}}}}}}}}}},`, m)
	}
	return decoded(t, fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "predictor-%[1]d", "namespace": "tenant-%[2]d", "uid": "0d7b33f8-5a0c-4b8c-9b86-%012[1]d", "resourceVersion": "%[1]d", "generation": 3,
		"creationTimestamp": "2026-01-02T03:04:05Z", "labels": {"app": "predictor-%[1]d", "app.kubernetes.io/component": "predictor", "app.kubernetes.io/part-of": "mlperf", "tier": "front"},
		"annotations": {"scanflow.dev/model": "digits/3", "kubectl.kubernetes.io/last-applied-configuration": %[3]q, "deployment.kubernetes.io/revision": "1"}, "managedFields": [%[4]s{}]},
		"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "predictor-%[1]d"}}, "template": {"metadata": {"labels": {"app": "predictor-%[1]d"}, "annotations": {"scanflow.dev/model": "digits/%[1]d"}}, "spec": {"containers": [{"name": "main", "image": "example.com/digits:1"}]}}},
		"status": {"observedGeneration": 3, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}, {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}}`,
		i, i%100, strings.Repeat("x", 500), managers))
}

// bigPod is the pod of that Deployment, about 3 KB of JSON.
func bigPod(t testing.TB, i int) *unstructured.Unstructured {
	return decoded(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor-%[1]d-6c9f7b8d5-abcde", "namespace": "tenant-%[2]d", "uid": "1d7b33f8-5a0c-4b8c-9b86-%012[1]d", "resourceVersion": "%[1]d",
		"labels": {"app": "predictor-%[1]d", "pod-template-hash": "6c9f7b8d5"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "predictor-%[1]d-6c9f7b8d5", "uid": "x", "controller": true}],
		"managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:conditions": {}, "f:containerStatuses": {}, "f:podIP": {}}}}]},
		"spec": {"nodeName": "node-%[3]d", "containers": [{"name": "main", "image": "example.com/digits:1", "ports": [{"name": "http", "containerPort": 8080}], "env": [{"name": "A", "value": "%[4]s"}]}], "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]},
		"status": {"phase": "Running", "podIP": "10.1.%[5]d.%[6]d", "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}], "containerStatuses": [{"name": "main", "restartCount": 1, "image": "example.com/digits:1"}]}}`,
		i, i%100, i%50, strings.Repeat("x", 500), i/250, i%250))
}

func decoded(t testing.TB, text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	require.NoError(t, json.Unmarshal([]byte(text), u))
	return u
}

// filledView knows many Deployments, each with a pod, without an API server: the
// objects go the way from the wire to the store.
func filledView(t testing.TB) (v *View, deployments *informer) {
	v = testView(t, Options{})
	deployments = newInformer(v, informerKey{apiVersion: "apps/v1", kind: "Deployment"})
	paths := usualPaths()
	paths.scalable, paths.ownsPods, paths.readyIsZeroWhenAbsent = true, true, true
	deployments.objects.convert = (&converter{paths: paths, intern: &v.intern}).convert
	deployments.paths = paths
	deployments.podsOf = newInformer(v, informerKey{apiVersion: "v1", kind: "Pod", pods: true})
	for i := range many {
		require.NoError(t, deployments.objects.Add(bigDeployment(t, i)))
		require.NoError(t, deployments.podsOf.pods.Add(bigPod(t, i)))
	}
	return v, deployments
}

func heap() int64 {
	var m runtime.MemStats
	for range 2 { // the second collects what the first's finalizers held
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTenThousandTargetsInLittleMemory(t *testing.T) {
	before := heap()
	v, deployments := filledView(t)
	total := heap() - before
	runtime.KeepAlive(v)
	require.Len(t, deployments.objects.items, many)
	require.Len(t, deployments.podsOf.pods.items, many)
	require.Len(t, deployments.podsOf.index.of(podOwner{"apps", "Deployment", "tenant-7", "predictor-7"}, ""), 1)
	t.Logf("%d Deployments and as many pods: %d MB, %d bytes for both of a target", many, total>>20, total/many)
	require.Less(t, total, int64(60<<20))
}

// BenchmarkTargets is one firing's reading of 10,000 targets.
func BenchmarkTargets(b *testing.B) {
	v, inf := filledView(b)
	inf.mapping = &meta.RESTMapping{GroupVersionKind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}}
	inf.synced, inf.podsOf.synced = true, true
	f := testFleet(b, v, engine.Selector{APIVersion: "apps/v1", Kind: "Deployment"}).(*Fleet)
	f.inf = inf
	b.ReportAllocs()
	for b.Loop() {
		targets, err := f.Targets(b.Context())
		require.NoError(b, err)
		require.Len(b, targets, many)
	}
}

// BenchmarkConvert measures the conversion of one object.
func BenchmarkConvert(b *testing.B) {
	v := testView(b, Options{})
	s := &converter{paths: usualPaths(), intern: &v.intern}
	u := bigDeployment(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		s.convert(u)
	}
}
