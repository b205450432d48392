package manifest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
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
	d.ask(p, into, fields)
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

var aboutField = regexp.MustCompile(`(?s)^([A-Za-z_][A-Za-z0-9_-]*)((?:\.[A-Za-z0-9_-]+|\[[0-9]{1,6}\])*): (.+)$`)

// ask lets a Checker find what the types don't show. What it says of a value that
// could not be read is dropped: that one has its own mistake.
func (d *decoder) ask(p *place, into reflect.Value, fields []field) {
	checker, ok := into.Addr().Interface().(Checker)
	if !ok {
		return
	}
	whole := !d.unread[p.String()]
	names := fieldNames(fields)
	type finding struct {
		at       *place
		sentence string
	}
	var found []finding // all are judged before the first is recorded, which marks its place
	for _, sentence := range sentences(checker, whole) {
		at := p
		parts := aboutField.FindStringSubmatch(sentence)
		if parts != nil && slices.Contains(names, parts[1]) {
			at, sentence = subPlace(p.field(parts[1]), parts[2]), parts[3]
		}
		if d.unread[at.String()] || (at == p && d.touched[p.String()]) || d.namesUnread(sentence, p, names) {
			continue
		}
		found = append(found, finding{at, sentence})
	}
	for _, f := range found {
		message, fix := splitFix(f.sentence)
		d.bad(f.at, message, fix)
	}
}

func (d *decoder) namesUnread(sentence string, p *place, names []string) bool {
	words := strings.FieldsFunc(sentence, func(r rune) bool { return !isWord(r) })
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

// sentences asks for the mistakes. A Checker may count on the fields that are
// required; where some could not be read it may stumble over that, and then has
// nothing to say. On a whole configuration a panic is its own mistake and goes on.
func sentences(c Checker, whole bool) (out []string) {
	if !whole {
		defer func() {
			if recover() != nil {
				out = nil
			}
		}()
	}
	return c.Check()
}

// subPlace goes on from a place by ".name" and "[0]".
func subPlace(p *place, path string) *place {
	for path != "" {
		end := strings.IndexAny(path[1:], ".[") + 1
		if end == 0 {
			end = len(path)
		}
		if step := path[:end]; step[0] == '[' {
			i, _ := strconv.Atoi(strings.Trim(step, "[]")) // digits only, by the pattern
			p = p.item(i)
		} else {
			p = p.field(step[1:])
		}
		path = path[end:]
	}
	return p
}

// splitFix takes a sentence apart at its last "; ".
func splitFix(sentence string) (message, fix string) {
	if i := strings.LastIndex(sentence, "; "); i > 0 {
		return sentence[:i], sentence[i+2:]
	}
	return sentence, ""
}
