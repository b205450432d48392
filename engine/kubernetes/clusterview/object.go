package clusterview

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// ModelAnnotation, on a pod template or on the target itself, says which model
// version is in service.
const ModelAnnotation = "scanflow.dev/model"

// ownAnnotations begin the names of the annotations that are kept.
const ownAnnotations = "scanflow.dev/"

// identity is what is kept of every object.
type identity struct {
	namespace, name, uid, version string
}

func (i *identity) key() types.NamespacedName {
	return types.NamespacedName{Namespace: i.namespace, Name: i.name}
}

func (i *identity) id() *identity { return i }

// GetObjectMeta is what a reflector asks of an object; it is made as it is asked for.
func (i *identity) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: i.namespace, Name: i.name, UID: types.UID(i.uid), ResourceVersion: i.version}
}

// GetObjectKind is empty: an informer has objects of one kind.
func (i *identity) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// slim is what is kept of an object. It never changes: a new version is a new slim,
// so its maps are given out as they are.
type slim struct {
	identity
	generation, observed int64
	created              time.Time
	leaving              bool // it is being deleted
	labels               map[string]string
	annotations          map[string]string // our own
	conditions           map[string]string
	model                string
	selector             string

	sized                          bool // desired is known
	statedReady                    bool // ready is known
	desired, current, ready, fresh int
	owners                         []FieldManager // of the desired replicas

	value any // of the field that the informer is for
	found bool
}

// DeepCopyObject makes a slim a runtime.Object. Nothing changes one, so it is its
// own copy.
func (s *slim) DeepCopyObject() runtime.Object { return s }

// slimmer makes slims of the objects of one kind.
type slimmer struct {
	paths scalePaths
	field fieldpath.Path // keep just this; nil keeps the workload's
	names *commonTexts
}

func (s *slimmer) slim(u *unstructured.Unstructured) *slim {
	out := &slim{
		identity: identityIn(u, s.names), generation: u.GetGeneration(), created: u.GetCreationTimestamp().Time,
		leaving: u.GetDeletionTimestamp() != nil, labels: s.names.pairs(u.GetLabels()),
	}
	if s.field != nil {
		out.value, out.found = fieldpath.Find(u.Object, s.field...)
		out.value = asJSON(out.value)
		return out
	}
	out.annotations = s.names.pairs(ownOnes(u.GetAnnotations()))
	out.observed, _ = fieldpath.Int(u.Object, "status", "observedGeneration")
	out.conditions = s.conditions(u.Object)
	out.model = fieldpath.Text(u.Object, "spec", "template", "metadata", "annotations", ModelAnnotation)
	if out.model == "" {
		out.model = out.annotations[ModelAnnotation]
	}
	if !s.paths.owns {
		out.selector = s.paths.selectorOf(u.Object)
	}
	s.size(out, u)
	return out
}

func (s *slimmer) size(out *slim, u *unstructured.Unstructured) {
	p := s.paths
	number := func(path fieldpath.Path) (int, bool) {
		n, ok := fieldpath.Int(u.Object, path...)
		return int(n), ok && path != nil
	}
	out.desired, out.sized = number(p.desired)
	if p.scalable { // an absent field of a scale subresource is zero there, too
		out.sized = true
	}
	out.current, _ = number(p.current)
	out.fresh, _ = number(p.updated)
	out.ready, out.statedReady = number(p.ready)
	out.statedReady = out.statedReady || p.readyIsZeroWhenAbsent
	if out.sized {
		out.owners = s.owners(u, p.desired)
	}
}

// owners are the managers that wrote the desired replicas.
func (s *slimmer) owners(u *unstructured.Unstructured, field fieldpath.Path) []FieldManager {
	entries, _, _ := unstructured.NestedFieldNoCopy(u.Object, "metadata", "managedFields")
	list, _ := entries.([]any)
	var out []FieldManager
	for _, e := range list {
		entry, _ := e.(map[string]any)
		at, owned := entry["fieldsV1"].(map[string]any)
		for _, step := range field {
			name, isName := step.(string)
			next, ok := at["f:"+name].(map[string]any)
			if !isName || !ok {
				owned = false
				break
			}
			at = next
		}
		if !owned {
			continue
		}
		text := func(name string) string { v, _ := entry[name].(string); return s.names.one(v) }
		w := FieldManager{Manager: text("manager"), Operation: text("operation"), Subresource: text("subresource")}
		if at, err := time.Parse(time.RFC3339, fieldpath.Text(entry, "time")); err == nil {
			w.Time = at
		}
		out = append(out, w)
	}
	return out
}

func (s *slimmer) conditions(object map[string]any) map[string]string {
	v, _ := fieldpath.Find(object, "status", "conditions")
	list, _ := v.([]any)
	var out map[string]string
	for _, c := range list {
		condition, _ := c.(map[string]any)
		kind, status := fieldpath.Text(condition, "type"), fieldpath.Text(condition, "status")
		if kind == "" || status == "" {
			continue
		}
		if out == nil {
			out = make(map[string]string, len(list))
		}
		out[s.names.one(kind)] = s.names.one(status)
	}
	return out
}

// selectorOf is an object's selector of pods, in its text form; "" for none.
func (p scalePaths) selectorOf(object map[string]any) string {
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

func identityIn(u *unstructured.Unstructured, names *commonTexts) identity {
	return identity{names.one(u.GetNamespace()), u.GetName(), string(u.GetUID()), u.GetResourceVersion()}
}

func ownOnes(annotations map[string]string) map[string]string {
	maps.DeleteFunc(annotations, func(name, _ string) bool { return !strings.HasPrefix(name, ownAnnotations) })
	return annotations
}

// commonTexts keeps one copy of texts that many objects have in common.
type commonTexts struct {
	mu    sync.Mutex
	known map[string]string
}

// mostTexts bounds what is kept where texts turn out not to be common after all.
const mostTexts = 1 << 15

func (n *commonTexts) one(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.known[text]; ok {
		return known
	}
	if n.known == nil || len(n.known) >= mostTexts {
		n.known = map[string]string{}
	}
	text = strings.Clone(text)
	n.known[text] = text
	return text
}

// pairs is a map of common names; nil for an empty one.
func (n *commonTexts) pairs(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[n.one(k)] = n.one(v)
	}
	return out
}

// asJSON replaces every int64 in a value by what encoding/json would have read: a float64,
// or a json.Number where a float64 can't represent it. Signals and triggers are compared
// with such numbers.
func asJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return engine.ExactNumber(json.Number(strconv.FormatInt(v, 10)))
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
