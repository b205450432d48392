package clusterview

import (
	"encoding/base64"
	"reflect"

	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// typedNode reads a Go struct, map or list of k8s.io/api as the JSON that the API server
// writes for it: an omitted zero value is absent, and a quantity is its text. It converts
// only the fields that are read.
type typedNode struct{ reflect.Value }

var _ fieldpath.Node = typedNode{}

// nodeOf returns the Node of a pointer to a struct.
func nodeOf(object any) fieldpath.Node { return typedNode{reflect.ValueOf(object).Elem()} }

// typedValue converts a scalar or a type that writes its own JSON, and wraps any other
// type. It returns nil for null.
func typedValue(v reflect.Value) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if entry := value.TypeReflectEntryOf(v.Type()); entry.CanConvertToUnstructured() {
		out, err := entry.ToUnstructured(addressable(v))
		if err != nil { // the API server could not have written it either
			return nil
		}
		return out
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Struct:
		return typedNode{v}
	case reflect.Map:
		if !v.IsNil() && v.Type().Key().Kind() == reflect.String {
			return typedNode{v}
		}
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.EncodeToString(v.Bytes())
		}
		return typedNode{v}
	}
	return nil
}

// addressable returns a value whose pointer methods can be called. The items of a map are
// not addressable.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}

// Field implements fieldpath.Node.
func (n typedNode) Field(name string) any {
	switch n.Kind() {
	case reflect.Struct:
		entry := value.TypeReflectEntryOf(n.Type()).Fields()[name]
		if entry == nil {
			return nil
		}
		if v := entry.GetFrom(n.Value); !entry.CanOmit(v) {
			return typedValue(v)
		}
	case reflect.Map:
		if v := n.MapIndex(reflect.ValueOf(name).Convert(n.Type().Key())); v.IsValid() {
			return typedValue(v)
		}
	}
	return nil
}

// Item implements fieldpath.Node.
func (n typedNode) Item(i int) any { return typedValue(n.Index(i)) }

// Len implements fieldpath.Node.
func (n typedNode) Len() int {
	if n.Kind() == reflect.Slice {
		return n.Value.Len()
	}
	return 0
}

// JSON implements fieldpath.Node.
func (n typedNode) JSON() any {
	v, err := value.NewValueReflect(addressable(n.Value).Addr().Interface())
	if err != nil {
		return nil
	}
	return v.Unstructured()
}
