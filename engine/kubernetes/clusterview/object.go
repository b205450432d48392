package clusterview

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// ModelAnnotation, on a pod template or on the target itself, names the model version in
// service.
const ModelAnnotation = "scanflow.dev/model"

// ownAnnotations is the prefix of the annotations that are cached.
const ownAnnotations = "scanflow.dev/"

// identity is the part of the metadata that is cached of every object.
type identity struct {
	namespace, name, uid, version string
}

func (i *identity) key() types.NamespacedName {
	return types.NamespacedName{Namespace: i.namespace, Name: i.name}
}

func (i *identity) id() *identity { return i }

// GetObjectMeta implements metav1.ObjectMetaAccessor for the reflector. It makes the
// metadata anew each time, so that the cache need not hold them.
func (i *identity) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: i.namespace, Name: i.name, UID: types.UID(i.uid), ResourceVersion: i.version}
}

// GetObjectKind implements runtime.Object. It is empty, as an informer has one kind.
func (i *identity) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// cachedObject is the cached part of an object. It is immutable, so its maps are handed
// out without copies.
type cachedObject struct {
	identity
	generation, observedGeneration int64
	created                        time.Time
	terminating                    bool // it has a deletion timestamp
	labels                         map[string]string
	annotations                    map[string]string // those with the prefix scanflow.dev/; with a field, autoscaling.keda.sh/
	conditions                     map[string]string
	failed                         string // as FailedCondition returns it
	failedFirmly                   bool
	model                          string
	selector                       string

	desiredKnown, readyKnown         bool // the object states it
	currentKnown                     bool
	desiredUnset                     bool // the spec leaves the number to the controller
	desired, current, ready, updated int
	replicaManagers                  []FieldManager // of the desired replicas

	value any // of the field that the informer is for
	found bool
}

// DeepCopyObject implements runtime.Object. Immutable objects need no copy.
func (s *cachedObject) DeepCopyObject() runtime.Object { return s }

// converter makes the cached objects of one kind.
type converter struct {
	paths  scalePaths
	field  fieldpath.Path // cache only this field; nil caches what a workload needs
	intern *interner
}

func (s *converter) convert(u decodedObject) *cachedObject {
	out := &cachedObject{
		identity: identityIn(u, s.intern), generation: u.GetGeneration(), created: u.GetCreationTimestamp().Time,
		terminating: u.GetDeletionTimestamp() != nil, labels: s.intern.pairs(u.GetLabels()),
	}
	if s.field != nil {
		out.value, out.found = fieldpath.Find(u.Object, s.field...)
		out.value = asJSON(out.value)
		out.annotations = s.intern.pairs(withKEDAPrefix(u.GetAnnotations()))
		return out
	}
	out.annotations = s.intern.pairs(withOwnPrefix(u.GetAnnotations()))
	out.observedGeneration = s.paths.observedGeneration(u.Object, out.generation)
	out.conditions = s.conditions(u.Object)
	out.failed, out.failedFirmly = FailedCondition(u.Object)
	out.model = fieldpath.Text(u.Object, "spec", "template", "metadata", "annotations", ModelAnnotation)
	if out.model == "" {
		out.model = out.annotations[ModelAnnotation]
	}
	if !s.paths.ownsPods {
		out.selector = s.paths.selectorOf(u.Object)
	}
	s.size(out, u)
	return out
}

func (s *converter) size(out *cachedObject, u decodedObject) {
	p := s.paths
	number := func(path fieldpath.Path) (int, bool) {
		n, ok := fieldpath.Int(u.Object, path...)
		return int(n), ok && path != nil
	}
	out.desired, out.desiredKnown = number(p.desired)
	out.current, out.currentKnown = number(p.current)
	if p.scalable && !out.desiredKnown { // the controller has a default, which only the status shows
		out.desired, out.desiredKnown, out.desiredUnset = out.current, true, true
	}
	out.updated, _ = number(p.updated)
	out.ready, out.readyKnown = number(p.ready)
	out.readyKnown = out.readyKnown || p.readyIsZeroWhenAbsent
	if out.desiredKnown {
		out.replicaManagers = s.managersOf(u, p.desired)
	}
}

// managersOf returns the managers that own a field.
func (s *converter) managersOf(u decodedObject, field fieldpath.Path) []FieldManager {
	var out []FieldManager
	u.managers(field, func(entry metav1.ManagedFieldsEntry) {
		w := FieldManager{Manager: s.intern.text(entry.Manager), Operation: s.intern.text(string(entry.Operation)), Subresource: s.intern.text(entry.Subresource)}
		if entry.Time != nil {
			w.Time = entry.Time.UTC()
		}
		out = append(out, w)
	})
	return out
}

func (s *converter) conditions(object any) map[string]string {
	list := fieldpath.Items(object, "status", "conditions")
	var out map[string]string
	for _, condition := range list {
		kind, status := fieldpath.Text(condition, "type"), fieldpath.Text(condition, "status")
		if kind == "" || status == "" {
			continue
		}
		if out == nil {
			out = make(map[string]string, len(list))
		}
		out[s.intern.text(kind)] = s.intern.text(status)
	}
	return out
}

// selectorOf returns an object's selector of pods as text, or "".
func (p scalePaths) selectorOf(object any) string {
	if p.selector != nil {
		return fieldpath.Text(object, p.selector...)
	}
	raw, _ := fieldpath.Find(object, "spec", "selector")
	fields, ok := raw.(map[string]any)
	if !ok {
		return ""
	}
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &selector); err == nil && len(selector.MatchLabels)+len(selector.MatchExpressions) > 0 {
		if parsed, err := metav1.LabelSelectorAsSelector(&selector); err == nil {
			return parsed.String()
		}
		return ""
	}
	plain := labels.Set{}
	for name, value := range fields {
		if text, isText := value.(string); isText {
			plain[name] = text
		}
	}
	return plain.String()
}

func identityIn(u decodedObject, intern *interner) identity {
	return identity{intern.text(u.GetNamespace()), u.GetName(), string(u.GetUID()), u.GetResourceVersion()}
}

func withOwnPrefix(annotations map[string]string) map[string]string {
	var out map[string]string
	for name, text := range annotations {
		if strings.HasPrefix(name, ownAnnotations) {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = text
		}
	}
	return out
}

// asJSON replaces every int64 in a value by what encoding/json would have read: a float64,
// or a json.Number where a float64 can't represent it. Signals and triggers are compared
// with such numbers.
func asJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return jsonvalue.Exact(json.Number(strconv.FormatInt(v, 10)))
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = asJSON(v[k])
		}
	}
	return v
}
