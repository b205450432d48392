package manifest

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// field is a struct field with its tags. The decoder, the schemas and the reference all use
// it, so that they can't disagree.
type field struct {
	name     string
	doc      string
	fallback string // `default`
	enum     []string
	minimum  string // `min`, of a whole number
	maximum  string // `max`, of a whole number
	list     string // `list`: set, or the key field of the items
	required bool
	index    []int
	typ      reflect.Type
}

// listSet is the `list` tag of a list of strings without duplicates.
const listSet = "set"

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// fieldsOf returns the fields that a manifest may set, in the order of the struct. Those of
// an embedded struct are included. It returns nil for a type that is not a struct.
func fieldsOf(t reflect.Type) []field {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || (!f.IsExported() && !f.Anonymous) {
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		one := field{
			name: name, doc: f.Tag.Get("doc"), fallback: f.Tag.Get("default"), minimum: f.Tag.Get("min"), maximum: f.Tag.Get("max"), list: f.Tag.Get("list"),
			required: f.Tag.Get("required") == "true", index: []int{i}, typ: f.Type,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			one.enum = strings.Split(enum, ",")
		}
		out = append(out, one)
	}
	return out
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// closest returns the name that was probably meant, "" if none is similar.
func closest(name string, names []string) string { return spelling.Closest(name, names) }

// Undocumented lists the fields of adapters that have no `doc` tag, like
// "prometheus.basicAuth.username". The tests of sensors and actuators call it.
func Undocumented(kinds Kinds) []string {
	var out []string
	var walk func(path string, t reflect.Type, depth int)
	walk = func(path string, t reflect.Type, depth int) {
		t = element(t)
		if isText(t) || depth > maxDepth {
			return
		}
		for _, f := range fieldsOf(t) {
			if f.doc == "" {
				out = append(out, path+"."+f.name)
			}
			walk(path+"."+f.name, f.typ, depth+1)
		}
	}
	for _, set := range []map[string]func() any{kinds.Sensors, kinds.Verbs} {
		for name, make := range set {
			walk(name, reflect.TypeOf(make()), 0)
		}
	}
	slices.Sort(out)
	return out
}

// element is the element type of nested pointers, lists and maps.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}
