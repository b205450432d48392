package clusterview

import (
	"bytes"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/meta"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// paths calls each for every path that a value of a Go type can have, with those of fields
// that are not set.
func paths(v reflect.Value, at fieldpath.Path, each func(fieldpath.Path)) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	entry := value.TypeReflectEntryOf(v.Type())
	if entry.CanConvertToUnstructured() {
		return
	}
	step := func(name any, inner reflect.Value) {
		path := append(slices.Clone(at), name)
		each(path)
		paths(inner, path, each)
	}
	switch v.Kind() {
	case reflect.Struct:
		for name, field := range entry.Fields() {
			step(name, field.GetFrom(v))
		}
	case reflect.Map:
		each(append(slices.Clone(at), "no such key"))
		for key, item := range v.Seq2() {
			step(key.String(), item)
		}
	case reflect.Slice:
		for i := range v.Len() {
			step(i, v.Index(i))
		}
		each(append(slices.Clone(at), v.Len()))
	}
}

// sameFields holds an object from JSON and its Go type from protobuf against each other:
// what is cached of both, and each field that is read from the Go type. It returns the
// number of fields.
func sameFields(t *testing.T, kind schema.GroupVersionKind, fromJSON *unstructured.Unstructured, typed metav1.Object) (fields int) {
	t.Helper()
	a, isObject := decodedFrom(fromJSON)
	require.True(t, isObject)
	b, isObject := decodedFrom(typed)
	require.True(t, isObject)
	exported := cmp.AllowUnexported(cachedObject{}, cachedPod{}, identity{}, podOwner{}, podObstacle{})
	if kind.Kind == "Pod" && kind.Group == "" {
		require.Empty(t, cmp.Diff(newCachedPod(a, &interner{}), newCachedPod(b, &interner{}), exported), "%s %s", kind, fromJSON.GetName())
	}
	s := &converter{paths: builtIn(kind.GroupKind()), intern: &interner{}}
	require.Empty(t, cmp.Diff(s.convert(a), s.convert(b), exported), "%s %s", kind, fromJSON.GetName())
	paths(reflect.ValueOf(typed), nil, func(path fieldpath.Path) {
		if !completeIn(reflect.TypeOf(typed).Elem(), path) {
			return
		}
		one, inOne := fieldpath.Find(a.Object, path...)
		other, inOther := fieldpath.Find(b.Object, path...)
		if !cmp.Equal(one, other) || inOne != inOther {
			t.Errorf("%s of %s %s: %#v (%v) in JSON, %#v (%v) in protobuf", path, kind, fromJSON.GetName(), one, inOne, other, inOther)
		}
		if inOne {
			fields++
		}
	})
	return fields
}

// Whatever the API server sends of its own kinds is read alike from JSON and protobuf.
func TestTheAPIServersProtobufIsReadLikeItsJSON(t *testing.T) {
	c, v := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, strings.ReplaceAll(everyKind, "NS", ns))
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(c.Client().Config).ServerPreferredResources()
	require.NoError(t, err)
	kinds, fields := map[string]bool{}, 0
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, r := range list.APIResources {
			kind := gv.WithKind(r.Kind)
			if !slices.Contains([]string(r.Verbs), "watch") || !scheme.Scheme.Recognizes(kind) {
				continue
			}
			mapping, err := c.Client().Kinds.Find(list.GroupVersion, r.Kind)
			require.NoError(t, err)
			inf := newInformer(v, informerKey{apiVersion: list.GroupVersion, kind: r.Kind})
			from, err := inf.source(mapping)
			require.NoError(t, err)
			require.IsType(t, typedSource{}, from)
			typed, err := from.list(testContext(t), metav1.ListOptions{})
			require.NoError(t, err)
			byUID := map[string]metav1.Object{}
			require.NoError(t, meta.EachListItem(typed, func(o runtime.Object) error {
				byUID[string(o.(metav1.Object).GetUID())] = o.(metav1.Object)
				return nil
			}))
			page, err := inf.jsonSource(mapping).list(testContext(t), metav1.ListOptions{})
			require.NoError(t, err)
			for i := range page.(*unstructured.UnstructuredList).Items {
				u := &page.(*unstructured.UnstructuredList).Items[i]
				if same := byUID[string(u.GetUID())]; same != nil && same.GetResourceVersion() == u.GetResourceVersion() {
					kinds[r.Kind] = true
					fields += sameFields(t, kind, u, same)
				}
			}
		}
	}
	for _, kind := range []string{"ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "ResourceQuota", "Namespace", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "NetworkPolicy", "Lease"} {
		require.True(t, kinds[kind], "no %s was compared", kind)
	}
	require.Greater(t, fields, 2000)
}

// The same for objects of every kind with random fields, which no API server would accept.
func TestRandomObjectsAreReadAlikeFromProtobufAndJSON(t *testing.T) {
	asJSON := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{})
	asProtobuf := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	fill := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), scheme.Codecs)
	fields := 0
	for kind := range scheme.Scheme.AllKnownTypes() {
		if kind.Version == runtime.APIVersionInternal || strings.HasSuffix(kind.Kind, "Options") {
			continue
		}
		for range 20 {
			o, err := scheme.Scheme.New(kind)
			require.NoError(t, err)
			if _, isObject := o.(metav1.Object); !isObject {
				break
			}
			fill.Fill(o)
			o.GetObjectKind().SetGroupVersionKind(kind)
			var stored, text bytes.Buffer
			require.NoError(t, asProtobuf.Encode(o, &stored)) // as etcd has it; an empty list is no list from then on
			served, _, err := asProtobuf.Decode(stored.Bytes(), nil, nil)
			require.NoError(t, err)
			require.NoError(t, asJSON.Encode(served, &text))
			u := &unstructured.Unstructured{}
			require.NoError(t, u.UnmarshalJSON(text.Bytes()))
			stored.Reset()
			require.NoError(t, asProtobuf.Encode(served, &stored))
			typed, _, err := asProtobuf.Decode(stored.Bytes(), nil, nil)
			require.NoError(t, err)
			fields += sameFields(t, kind, u, typed.(metav1.Object))
		}
	}
	require.Greater(t, fields, 10_000)
}
