package valuetypes

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Type is a set of values. The values that an expression can have are always a part of its
// Type. It is not changed once the type of the document is made.
type Type struct {
	kinds kinds
	// texts are the only strings of the type; nil is any string.
	texts []string
	// enum reports whether the schema declares texts.
	enum bool
	// elem are the elements of arrays and sets.
	elem *Type
	// fields are the known keys of objects, and rest the values of all others; with a nil
	// rest there are no others. keys are the keys of rest; nil is any string.
	fields     map[string]*Type
	rest, keys *Type
	// named is set for an object whose keys the manifest chooses, such as signals: a policy
	// that serves several agents reads them by object.get.
	named bool
	// setting is set for a value that the author of a manifest or of data chooses.
	setting bool
	part    part
}

var (
	unknown = &Type{kinds: allKinds}
	// never is the type of an expression without a value.
	never      = &Type{}
	nullType   = &Type{kinds: nullKind}
	boolType   = &Type{kinds: boolKind}
	numberType = &Type{kinds: numberKind}
	textType   = &Type{kinds: textKind}
)

func init() { unknown.elem, unknown.rest, unknown.keys = unknown, unknown, unknown }

const (
	maxTexts  = 64
	maxFields = 256
	maxDepth  = 8
)

// judged reports whether the type says enough to judge an expression.
func (t *Type) judged() bool { return t.kinds != 0 && t.kinds != allKinds }

func collectionOf(k kinds, elem *Type) *Type { return &Type{kinds: k, elem: elem} }

func objectOf(keys, values *Type) *Type { return &Type{kinds: objectKind, keys: keys, rest: values} }

func literalText(s string) *Type { return &Type{kinds: textKind, texts: []string{s}} }

// lattice joins types. The number of its steps is bounded: policies may nest what they
// build without a bound.
type lattice struct{ steps int }

// maxSteps bounds the work of one Check.
const maxSteps = 2_000_000

func (l *lattice) exhausted() bool { return l.steps > maxSteps }

// join is the type with the values of both.
func (l *lattice) join(a, b *Type) *Type { return l.joinAt(a, b, 0) }

func (l *lattice) joinAt(a, b *Type, depth int) *Type {
	l.steps++
	switch {
	case a == b || b == nil || b.kinds == 0:
		return a
	case a == nil || a.kinds == 0:
		return b
	case a.kinds|b.kinds == allKinds || depth > maxDepth || l.exhausted():
		return unknown
	}
	out := &Type{kinds: a.kinds | b.kinds, named: a.named || b.named, setting: a.setting || b.setting}
	if a.part == b.part {
		out.part = a.part
	}
	out.texts, out.enum = joinTexts(a, b)
	if a.kinds&(arrayKind|setKind) != 0 {
		out.elem = a.elem
	}
	if b.kinds&(arrayKind|setKind) != 0 {
		if out.elem = b.elem; a.kinds&(arrayKind|setKind) != 0 {
			out.elem = l.joinAt(orUnknown(a.elem), orUnknown(b.elem), depth+1)
		}
	}
	switch {
	case b.kinds&objectKind == 0:
		out.fields, out.rest, out.keys = a.fields, a.rest, a.keys
	case a.kinds&objectKind == 0:
		out.fields, out.rest, out.keys = b.fields, b.rest, b.keys
	default:
		l.joinObjects(out, a, b, depth)
	}
	return out
}

func joinTexts(a, b *Type) ([]string, bool) {
	if b.kinds&textKind == 0 {
		return a.texts, a.enum
	}
	if a.kinds&textKind == 0 {
		return b.texts, b.enum
	}
	if a.texts == nil || b.texts == nil || len(a.texts)+len(b.texts) > maxTexts {
		return nil, false
	}
	out := slices.Clone(a.texts)
	for _, text := range b.texts {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out, a.enum || b.enum
}

func (l *lattice) joinObjects(out, a, b *Type, depth int) {
	if len(a.fields)+len(b.fields) > maxFields {
		out.rest, out.keys = unknown, unknown
		return
	}
	out.fields = map[string]*Type{}
	maps.Copy(out.fields, a.fields)
	for key, t := range b.fields {
		out.fields[key] = l.joinAt(out.fields[key], t, depth+1)
	}
	// A key that only one has as a field may be among the other's rest.
	for key, t := range out.fields {
		if _, has := a.fields[key]; !has {
			t = l.joinAt(t, a.rest, depth+1)
		}
		if _, has := b.fields[key]; !has {
			t = l.joinAt(t, b.rest, depth+1)
		}
		out.fields[key] = t
	}
	out.rest = l.joinAt(a.rest, b.rest, depth+1)
	switch {
	case a.rest == nil:
		out.keys = b.keys
	case b.rest == nil:
		out.keys = a.keys
	case a.keys != nil && b.keys != nil:
		out.keys = l.joinAt(a.keys, b.keys, depth+1)
	case a.keys != nil || b.keys != nil:
		out.keys = unknown
	}
}

// field is the type of t[key]; nil if no value of t has that key.
func (l *lattice) field(t *Type, key ast.Value) *Type {
	if t.kinds == 0 {
		return unknown
	}
	var out *Type
	text, isText := key.(ast.String)
	_, isNumber := key.(ast.Number)
	if t.kinds&objectKind != 0 {
		switch known := t.fields[string(text)]; {
		case isText && known != nil:
			out = known
		case t.rest != nil:
			out = t.rest
		}
	}
	list := t.kinds&arrayKind != 0 && isNumber
	if list {
		out = l.join(out, orUnknown(t.elem))
	}
	set := t.kinds&setKind != 0
	if set {
		out = l.join(out, orUnknown(t.elem))
	}
	if out == nil && (list || set) {
		return never // it is empty
	}
	return out
}

// each is the type of the keys and of the values of t; nil if no value of t has elements.
func (l *lattice) each(t *Type) (key, value *Type) {
	if t.kinds == 0 {
		return unknown, unknown
	}
	if t.kinds&objectKind != 0 {
		key = textType
		if t.rest != nil && t.keys != nil {
			key = t.keys
		}
		value = t.rest
		if len(t.fields) > maxTexts {
			value = unknown
		} else {
			for _, f := range t.fields {
				value = l.join(value, f)
			}
		}
		if value == nil {
			value = never
		}
	}
	if t.kinds&arrayKind != 0 {
		key, value = l.join(key, numberType), l.join(value, orUnknown(t.elem))
	}
	if t.kinds&setKind != 0 {
		key, value = l.join(key, orUnknown(t.elem)), l.join(value, orUnknown(t.elem))
	}
	if value == nil && t.kinds&containers != 0 {
		return orNever(key), never // it is empty, as a default often is
	}
	return key, value
}

func orUnknown(t *Type) *Type {
	if t == nil {
		return unknown
	}
	return t
}

func orNever(t *Type) *Type {
	if t == nil {
		return never
	}
	return t
}

// overlap reports whether the types may have a value in common. Strings are told apart only
// where a schema declares those of one side: a constant of a policy may be a switch.
func overlap(a, b *Type) bool {
	if a.kinds == 0 || b.kinds == 0 {
		return true
	}
	common := a.kinds & b.kinds
	if common != textKind {
		return common != 0
	}
	if a.texts == nil || b.texts == nil || !a.enum && !b.enum {
		return true
	}
	return slices.ContainsFunc(a.texts, func(text string) bool { return slices.Contains(b.texts, text) })
}
