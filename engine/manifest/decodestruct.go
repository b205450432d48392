package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// extensible is a struct with keys that are not fields: a sensor has one for each kind.
type extensible interface {
	// extension returns what a key's value is decoded into; false for an unknown key.
	extension(kinds Kinds, key string) (into any, ok bool)
	// extensions returns the keys, and what messages call one.
	extensions(kinds Kinds) (what string, keys []string)
}

func (d *decoder) structure(n *yaml.Node, p *fieldPath, into reflect.Value) {
	if n.Kind != yaml.MappingNode {
		if into.Type() == reflect.TypeFor[Secret]() {
			d.reject(p, "must be a reference, not "+describe(n), secretFix)
			return
		}
		if into.Type() == reflect.TypeFor[Header]() {
			d.reject(p, "must be text or a reference, not "+describe(n), headerFix)
			return
		}
		if into.Type() == reflect.TypeFor[Bound]() {
			d.reject(p, "must be a number, not "+describe(n), boundFix)
			return
		}
		d.reject(p, "must be a mapping, not "+describe(n), fieldList("its", fieldNames(fieldsOf(into.Type()))))
		return
	}
	fields := fieldsOf(into.Type())
	set := map[string]bool{}
	d.pairs(n, p, func(key string, at, value *yaml.Node) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		if i < 0 {
			d.unknown(p, key, at, value, into, fields)
			return
		}
		set[key] = true
		into := into.FieldByIndex(fields[i].index)
		d.value(value, p.field(key), into)
		d.enum(p.field(key), into, fields[i].enum)
	})
	for _, f := range fields {
		at, value := p.field(f.name), into.FieldByIndex(f.index)
		switch {
		case set[f.name] && f.required && isEmpty(value) && !d.mistaken[at.String()]:
			d.reject(at, "must not be empty", "")
		case set[f.name]:
		case d.partial.open[n]:
			d.mark(at)
		case f.required:
			d.reject(at, "is missing", describeField(f))
		case f.fallback != "":
			d.value(&yaml.Node{Kind: yaml.ScalarNode, Value: f.fallback}, at, value)
		}
	}
	d.check(p, into, fields)
}

// unknown decodes the value of a key that is not a field, if the struct is extensible and
// has that key, and reports the key otherwise.
func (d *decoder) unknown(p *fieldPath, key string, at, value *yaml.Node, into reflect.Value, fields []field) {
	names, what := fieldNames(fields), "field"
	if o, ok := into.Addr().Interface().(extensible); ok {
		if made, ok := o.extension(d.kinds, key); ok {
			if v := reflect.ValueOf(made); v.Kind() == reflect.Pointer && !v.IsNil() {
				d.value(value, p.field(key), v.Elem())
			}
			return
		}
		other, keys := o.extensions(d.kinds)
		what = "field or " + other
		names = append(names, keys...)
	}
	fix := fieldList("the", names)
	if o, ok := into.Addr().Interface().(extensible); ok {
		other, keys := o.extensions(d.kinds)
		fix = fmt.Sprintf("the fields are %s, the %ss %s", list(fieldNames(fields)), other, list(keys))
	}
	if near := closest(key, names); near != "" {
		fix = fmt.Sprintf("did you mean %s? %s", near, strings.ToUpper(fix[:1])+fix[1:])
	}
	d.reportAt(at, p.field(key), "unknown "+what, fix)
}

func (d *decoder) enum(p *fieldPath, v reflect.Value, enum []string) {
	if len(enum) == 0 || d.mistaken[p.String()] {
		return
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			d.enum(p.item(i), v.Index(i), enum)
		}
	case v.Kind() == reflect.String && !slices.Contains(enum, v.String()):
		fix := "write " + enum[0]
		if len(enum) > 1 {
			fix = "write one of " + list(enum)
		}
		if near := closest(v.String(), enum); near != "" && len(enum) > 1 {
			fix = fmt.Sprintf("did you mean %s? It is one of %s", near, list(enum))
		}
		d.reject(p, quote(v.String())+" is not known here", fix)
	}
}

func fieldList(whose string, names []string) string {
	switch len(names) {
	case 0:
		return "there are no fields here"
	case 1:
		return whose + " field is " + names[0]
	}
	return whose + " fields are " + list(names)
}

func describeField(f field) string {
	if len(f.enum) == 1 {
		return "write " + f.name + ": " + f.enum[0]
	}
	fix := "set it"
	if f.doc != "" {
		fix += ": " + f.doc
	}
	return fix
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return false
}

// check adds what a Checker finds. It drops mistakes about values that could not be decoded:
// these have one already.
func (d *decoder) check(p *fieldPath, into reflect.Value, fields []field) {
	checker, ok := into.Addr().Interface().(Checker)
	if !ok {
		return
	}
	whole := !d.unread[p.String()]
	names := fieldNames(fields)
	found := checked(checker, whole)
	// reject marks paths as unread, so the filter runs before the first call.
	found = slices.DeleteFunc(found, func(m mistake.Mistake) bool {
		return d.uncertain(p.at(m.Path)) || m.Path == "" && d.mistaken[p.String()] || d.namesUnread(m, p, names)
	})
	for _, m := range found {
		d.reject(p.at(m.Path), m.Message, m.Fix)
	}
}

func (d *decoder) namesUnread(m mistake.Mistake, p *fieldPath, names []string) bool {
	words := strings.FieldsFunc(m.Message+" "+m.Fix, func(r rune) bool { return !isWord(r) })
	for _, name := range names {
		if d.unread[p.field(name).String()] && slices.Contains(words, name) {
			return true
		}
	}
	return false
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// checked calls a Checker. It may rely on the required fields, so a panic is recovered if
// some field could not be decoded. On a whole configuration a panic is a bug and goes on.
func checked(c Checker, whole bool) (out mistake.Mistakes) {
	if !whole {
		defer func() {
			if recover() != nil {
				out = nil
			}
		}()
	}
	return c.Check()
}
