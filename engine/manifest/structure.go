package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// open is a struct that takes keys beside its fields: a sensor and its kinds.
type open interface {
	// extra makes the place for a key's value; false if it takes no such key.
	extra(kinds Kinds, key string) (into any, ok bool)
	// extras are the keys that it takes, and what they are called.
	extras(kinds Kinds) (what string, keys []string)
}

func (d *decoder) structure(n *yaml.Node, p *place, into reflect.Value) {
	if n.Kind != yaml.MappingNode {
		if into.Type() == reflect.TypeFor[Secret]() {
			d.bad(p, "must be a reference, not "+describe(n), secretFix)
			return
		}
		if into.Type() == reflect.TypeFor[Header]() {
			d.bad(p, "must be text or a reference, not "+describe(n), headerFix)
			return
		}
		d.bad(p, "must be a mapping, not "+describe(n), fieldList("its", fieldNames(fieldsOf(into.Type()))))
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
		case set[f.name] && f.required && isEmpty(value) && !d.touched[at.String()]:
			d.bad(at, "must not be empty", "")
		case set[f.name]:
		case f.required:
			d.bad(at, "is missing", describeField(f))
		case f.fallback != "":
			d.value(&yaml.Node{Kind: yaml.ScalarNode, Value: f.fallback}, at, value)
		}
	}
	d.check(p, into, fields)
}

// unknown is a key that is none of the fields: one of the struct's own other
// keys, or a mistake.
func (d *decoder) unknown(p *place, key string, at, value *yaml.Node, into reflect.Value, fields []field) {
	names, what := fieldNames(fields), "field"
	if o, ok := into.Addr().Interface().(open); ok {
		if made, ok := o.extra(d.kinds, key); ok {
			if v := reflect.ValueOf(made); v.Kind() == reflect.Pointer && !v.IsNil() {
				d.value(value, p.field(key), v.Elem())
			}
			return
		}
		other, keys := o.extras(d.kinds)
		what = "field or " + other
		names = append(names, keys...)
	}
	fix := fieldList("the", names)
	if o, ok := into.Addr().Interface().(open); ok {
		other, keys := o.extras(d.kinds)
		fix = fmt.Sprintf("the fields are %s, the %ss %s", list(fieldNames(fields)), other, list(keys))
	}
	if near := nearest(key, names); near != "" {
		fix = fmt.Sprintf("did you mean %s? %s", near, strings.ToUpper(fix[:1])+fix[1:])
	}
	d.oddAt(at, p.field(key), "unknown "+what, fix)
}

func (d *decoder) enum(p *place, v reflect.Value, enum []string) {
	if len(enum) == 0 || d.touched[p.String()] {
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
		if near := nearest(v.String(), enum); near != "" && len(enum) > 1 {
			fix = fmt.Sprintf("did you mean %s? It is one of %s", near, list(enum))
		}
		d.bad(p, quote(v.String())+" is not known here", fix)
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

// check adds what a Checker finds. A mistake about a value that could not be read is
// dropped, because that value has its own.
func (d *decoder) check(p *place, into reflect.Value, fields []field) {
	checker, ok := into.Addr().Interface().(Checker)
	if !ok {
		return
	}
	whole := !d.unread[p.String()]
	names := fieldNames(fields)
	found := checked(checker, whole)
	// Recording one marks its place, so all are compared with the marks before the first is.
	found = slices.DeleteFunc(found, func(m mistake.Mistake) bool {
		return d.unread[p.at(m.Path).String()] || m.Path == "" && d.touched[p.String()] || d.namesUnread(m, p, names)
	})
	for _, m := range found {
		d.bad(p.at(m.Path), m.Message, m.Fix)
	}
}

func (d *decoder) namesUnread(m mistake.Mistake, p *place, names []string) bool {
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

// checked calls a Checker. One that panics on a configuration of which a part could not
// be read has no mistakes: it may rely on the required fields. On a whole configuration a
// panic is the Checker's own error and goes on.
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
