package clusterview

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// textTypes write a JSON string or number, and nothing in it can be unknown to this program.
var textTypes = []reflect.Type{
	reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[metav1.Duration](),
	reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString](),
}

// completeIn reports whether a Go type of this program has everything at a path that any
// API server can have there. A newer API server may send fields that the type lacks: they
// are lost where a struct is decoded, so a path that ends at a struct, or at a field that
// the type lacks, is read from JSON. The kind and the API version of an object are not
// decoded into its struct.
func completeIn(t reflect.Type, path fieldpath.Path) bool {
	if len(path) > 0 && (path[0] == "kind" || path[0] == "apiVersion") {
		return false
	}
	for _, step := range path {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		entry := value.TypeReflectEntryOf(t)
		if entry.CanConvertToUnstructured() {
			return false
		}
		name, isName := step.(string)
		switch {
		case isName && t.Kind() == reflect.Struct:
			field, ok := structField(t, name)
			if !ok {
				return false
			}
			t = field
		case isName && t.Kind() == reflect.Map, !isName && t.Kind() == reflect.Slice:
			t = t.Elem()
		default:
			return false
		}
	}
	return closed(t)
}

// structField returns the type of the field with a JSON name.
func structField(t reflect.Type, name string) (reflect.Type, bool) {
	entry := value.TypeReflectEntryOf(t).Fields()[name]
	if entry == nil {
		return nil, false
	}
	return entry.GetFrom(reflect.New(t).Elem()).Type(), true
}

// closed reports whether no value of a type can have fields that the type lacks.
func closed(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Interface:
		return slices.Contains(textTypes, t)
	}
	return true
}
