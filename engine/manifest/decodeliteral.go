package manifest

import (
	"encoding/json"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/literal"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// DecodeLiteral checks the parameters of a primitive as far as a file tells them, by the rules of
// DecodeMap: it returns those mistakes that are there whatever the computed parts will be.
// into is a pointer to an empty struct; what it holds afterwards has no meaning.
func DecodeLiteral(file string, with literal.Value, into func() any) mistake.Mistakes {
	first := decodeLiteral(file, with, into(), nil)
	if len(first) == 0 {
		return nil
	}
	// A Checker may read a computed part of a field of type any. What it says of one value
	// of that part and not of another is not certain.
	second := decodeLiteral(file, with, into(), "?")
	return slices.DeleteFunc(first, func(m mistake.Mistake) bool { return !slices.Contains(second, m) })
}

// decodeLiteral decodes with a value in place of the computed parts of fields of type any.
func decodeLiteral(file string, with literal.Value, into, fill any) mistake.Mistakes {
	known := partial{computed: map[*yaml.Node]string{}, open: map[*yaml.Node]bool{}, loose: map[*yaml.Node]bool{}, fill: fill}
	b := nodeBuilder{origin: map[*yaml.Node]any{}}
	d := newDecoder(file, known.node(b, with, 0), "with", Kinds{})
	d.origin, d.partial = b.origin, known
	d.decode(into)
	return d.mistakes.Sorted()
}

// partial lists the parts of a tree that are not known; the zero value has none.
type partial struct {
	// computed has the nodes whose value is not known, with its JSON type or "".
	computed map[*yaml.Node]string
	// open has the mappings that may have other keys too, and loose those of them in a field
	// of type any: there, a Checker may judge a key by another, which may be computed.
	open, loose map[*yaml.Node]bool
	// fill is the value that stands for a computed one.
	fill any
}

// node builds the node of a value, with its place.
func (k partial) node(b nodeBuilder, v literal.Value, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	switch {
	case depth > maxDepth+1: // the decoder rejects it before it reaches this node
	case v.Kind == literal.Scalar:
		value := v.JSON
		if number, is := value.(json.Number); is { // as the reader of proposals converts it
			value = jsonvalue.Exact(number)
		}
		n = b.node(value, depth)
	case v.Kind == literal.Array:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for _, item := range v.Items {
			n.Content = append(n.Content, k.node(b, item, depth+1))
		}
	case v.Kind == literal.Object:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, f := range v.Fields {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Key, Line: f.Line, Column: f.Column}
			n.Content = append(n.Content, key, k.node(b, f.Value, depth+1))
		}
		k.open[n] = v.Open
	default:
		k.computed[n] = v.Type
	}
	n.Line, n.Column = v.Line, v.Column
	return n
}

// hole handles a value that is computed: no mistake that depends on it is reported, except
// that its type does not fit.
func (d *decoder) hole(p *fieldPath, into reflect.Type, typ string) {
	want := jsonTypeOf(into)
	if typ == "" || typ == "null" || want == "" || typ == want {
		d.mark(p)
		return
	}
	fix := ""
	switch {
	case want == "number" && typ == "string":
		fix = "convert it with to_number"
	case want == "string" && typ == "number":
		fix = "convert it with format_int or sprintf"
	}
	words := TypeInWords(want)
	if isInteger(into) {
		words = "a whole number"
	}
	d.reject(p, "must be "+words+", not "+TypeInWords(typ), fix)
}

// mark keeps mistakes that depend on a value from being reported.
func (d *decoder) mark(p *fieldPath) {
	for q := p; q != nil; q = q.parent {
		d.mistaken[q.String()], d.unread[q.String()] = true, true
	}
}

// uncertain reports whether a value could not be read, or is, or may be, in a computed part.
func (d *decoder) uncertain(p *fieldPath) bool {
	if d.unread[p.String()] {
		return true
	}
	if len(d.partial.computed)+len(d.partial.open) == 0 {
		return false
	}
	_, _, there := p.find(d.tree)
	for q := p.parent; q != nil; q = q.parent {
		_, value, above := q.find(d.tree)
		if _, computed := d.partial.computed[value]; above && (computed || d.partial.loose[value] || !there && d.partial.open[value]) {
			return true
		}
		there = above
	}
	return false
}

// jsonTypeOf returns the JSON type that a Go type is decoded from; "" for any.
func jsonTypeOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isText(t), t == reflect.TypeFor[Header]():
		return ""
	case isInteger(t), t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "number"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return ""
}

func isInteger(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64
}
