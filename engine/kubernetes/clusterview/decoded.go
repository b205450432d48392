package clusterview

import (
	"bytes"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

type metadata = metav1.Object

// decodedObject is an object as it was decoded, from JSON or from protobuf. It is read once and
// not kept.
type decodedObject struct {
	metadata
	// Object is a map[string]any or a fieldpath.Node, which the functions of fieldpath read.
	Object any
}

func decodedFrom(o any) (decodedObject, bool) {
	switch o := o.(type) {
	case *unstructured.Unstructured:
		return decodedObject{o, o.Object}, true
	case metav1.Object:
		return decodedObject{o, nodeOf(o)}, true
	}
	return decodedObject{}, false
}

// managers calls each for every manager that owns a field.
func (d decodedObject) managers(field fieldpath.Path, each func(metav1.ManagedFieldsEntry)) {
	u, ok := d.metadata.(*unstructured.Unstructured)
	if !ok {
		for _, entry := range d.GetManagedFields() {
			if entry.FieldsV1 != nil && ownsIn(entry.FieldsV1.GetRawBytes(), field) {
				each(entry)
			}
		}
		return
	}
	entries, _, _ := unstructured.NestedFieldNoCopy(u.Object, "metadata", "managedFields")
	list, _ := entries.([]any)
	for _, e := range list {
		entry, _ := e.(map[string]any)
		if owns(entry["fieldsV1"], field) {
			each(entryOf(entry))
		}
	}
}

func entryOf(entry map[string]any) metav1.ManagedFieldsEntry {
	text := func(name string) string { return fieldpath.Text(entry, name) }
	out := metav1.ManagedFieldsEntry{Manager: text("manager"), Operation: metav1.ManagedFieldsOperationType(text("operation")), Subresource: text("subresource")}
	var at metav1.Time
	if at.UnmarshalQueryParameter(text("time")) == nil {
		out.Time = &at
	}
	return out
}

// owns reports whether a set of fields, decoded from JSON, has a field.
func owns(set any, field fieldpath.Path) bool {
	at, owned := set.(map[string]any)
	for _, step := range field {
		name, isName := step.(string)
		if !isName || !owned {
			return false
		}
		at, owned = at["f:"+name].(map[string]any)
	}
	return owned
}

// ownsIn is owns for a set that is JSON still. Such a set has objects within objects and
// nothing else, and the API server writes it without spaces. It is scanned, as decoding the
// sets would cost more than the object.
func ownsIn(set []byte, field fieldpath.Path) bool {
	if len(set) == 0 || set[0] != '{' {
		return false
	}
	for _, step := range field {
		name, isName := step.(string)
		if !isName {
			return false
		}
		if set = member(set, name); set == nil {
			return false
		}
	}
	return true
}

// member returns the JSON from the value of "f:NAME" on; nil where the object that begins
// set has no such member.
func member(set []byte, name string) []byte {
	depth := 0
	for i := 0; i < len(set); i++ {
		switch set[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return nil
			}
		case '"':
			begin := i + 1
			for i = begin; i < len(set) && set[i] != '"'; i++ {
				if set[i] == '\\' {
					i++
				}
			}
			if i >= len(set) {
				return nil
			}
			key, found := bytes.CutPrefix(set[begin:i], []byte("f:"))
			if depth == 1 && found && string(key) == name && i+2 < len(set) && set[i+1] == ':' && set[i+2] == '{' {
				return set[i+2:]
			}
		}
	}
	return nil
}
