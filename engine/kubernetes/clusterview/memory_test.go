package clusterview

import (
	"bytes"
	"encoding/json"
	"fmt"
	gort "runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

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
		"annotations": {"scanflow.dev/model": "digits/3", "kubectl.kubernetes.io/last-applied-configuration": %[3]q, "deployment.kubernetes.io/revision": "1"}, "managedFields": [%[4]s{"manager": "last", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}}]},
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

// wire is the form in which objects come from the API server.
type wire func(t testing.TB, u *unstructured.Unstructured) any

func inJSON(_ testing.TB, u *unstructured.Unstructured) any { return u }

// inProtobuf is the Go type of an object, decoded from protobuf.
func inProtobuf(t testing.TB, u *unstructured.Unstructured) any {
	t.Helper()
	o, err := scheme.Scheme.New(u.GroupVersionKind())
	require.NoError(t, err)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o))
	codec := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	var buffer bytes.Buffer
	require.NoError(t, codec.Encode(o, &buffer))
	out, _, err := codec.Decode(buffer.Bytes(), nil, nil)
	require.NoError(t, err)
	return out
}

// filledView knows many Deployments, each with a pod, without an API server: the
// objects go the way from the wire to the store.
func filledView(t testing.TB, many int, as wire) (v *View, deployments *informer) {
	v = testView(t, Options{})
	deployments = newInformer(v, informerKey{apiVersion: "apps/v1", kind: "Deployment"})
	paths := usualPaths()
	paths.scalable, paths.ownsPods, paths.readyIsZeroWhenAbsent = true, true, true
	deployments.objects.convert = (&converter{paths: paths, intern: &v.intern}).convert
	deployments.paths = paths
	deployments.podsOf = newInformer(v, informerKey{apiVersion: "v1", kind: "Pod", pods: true})
	for i := range many {
		require.NoError(t, deployments.objects.Add(as(t, bigDeployment(t, i))))
		require.NoError(t, deployments.podsOf.pods.Add(as(t, bigPod(t, i))))
	}
	return v, deployments
}

func heap() int64 {
	var m gort.MemStats
	for range 2 { // the second collects what the first's finalizers held
		gort.GC()
	}
	gort.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTenThousandTargetsInLittleMemory(t *testing.T) {
	inProtobuf(t, bigPod(t, 0)) // what is made once for a type is not the fleet's
	for name, given := range map[string]struct {
		many int
		as   wire
	}{"JSON": {many / 4, inJSON}, "protobuf": {many, inProtobuf}} {
		t.Run(name, func(t *testing.T) {
			before, many := heap(), given.many
			v, deployments := filledView(t, many, given.as)
			total := heap() - before
			gort.KeepAlive(v)
			require.Len(t, deployments.objects.items, many)
			require.Len(t, deployments.podsOf.pods.items, many)
			require.Len(t, deployments.podsOf.index.of(podOwner{"apps", "Deployment", "tenant-7", "predictor-7"}, ""), 1)
			require.Len(t, deployments.objects.items[types.NamespacedName{Namespace: "tenant-7", Name: "predictor-7"}].replicaManagers, 3)
			t.Logf("%d Deployments and as many pods: %d MB, %d bytes for both of a target", many, total>>20, total/int64(many))
			require.Less(t, total/int64(many), int64(6<<10))
		})
	}
}

// BenchmarkTargets is one firing's reading of 10,000 targets.
func BenchmarkTargets(b *testing.B) {
	v, inf := filledView(b, many, inJSON)
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

// BenchmarkDecode measures what one change of an object costs, from the bytes of the API
// server to what is cached.
func BenchmarkDecode(b *testing.B) {
	v := testView(b, Options{})
	paths := builtIn(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	for _, object := range []struct {
		name    string
		u       *unstructured.Unstructured
		convert func(decodedObject)
	}{
		{"Deployment", bigDeployment(b, 1), func(d decodedObject) { (&converter{paths: paths, intern: &v.intern}).convert(d) }},
		{"Pod", bigPod(b, 1), func(d decodedObject) { newCachedPod(d, &v.intern) }},
	} {
		asJSON, err := object.u.MarshalJSON()
		require.NoError(b, err)
		codec := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
		var asProtobuf bytes.Buffer
		require.NoError(b, codec.Encode(inProtobuf(b, object.u).(runtime.Object), &asProtobuf))
		for _, from := range []struct {
			name   string
			wire   []byte
			decode func([]byte) any
		}{
			{"JSON", asJSON, func(wire []byte) any {
				out := &unstructured.Unstructured{}
				require.NoError(b, out.UnmarshalJSON(wire))
				return out
			}},
			{"protobuf", asProtobuf.Bytes(), func(wire []byte) any {
				out, _, err := codec.Decode(wire, nil, nil)
				require.NoError(b, err)
				return out
			}},
		} {
			b.Run(object.name+"/"+from.name, func(b *testing.B) {
				b.ReportAllocs()
				b.ReportMetric(float64(len(from.wire)), "bytes")
				for b.Loop() {
					d, _ := decodedFrom(from.decode(from.wire))
					object.convert(d)
				}
			})
		}
	}
}
