package manifest

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Decode decodes a YAML value strictly into the struct that `into` points to. It returns
// every unknown or repeated field, value of a wrong type, missing required field and value
// outside its enum, and what a Checker finds. path is the value's path in the document
// ("spec.sensors[0].http"), for the messages. Decode does not panic, whatever the node.
func Decode(file string, node *yaml.Node, path string, into any) mistake.Mistakes {
	d := newDecoder(file, node, path, Kinds{})
	d.decode(into)
	return d.mistakes.Sorted()
}

// The bounds of one document: aliases can expand a small file to a large one.
const (
	maxDepth    = 50     // of values within values
	maxAliased  = 10_000 // values reached through aliases
	maxMistakes = 1_000  // that are shown
)

type decoder struct {
	file  string
	tree  *yaml.Node
	root  *fieldPath
	kinds Kinds

	mistakes mistake.Mistakes
	// mistaken has the paths with a mistake at or below them, and unread those of them
	// whose value could not be decoded: the validator skips these.
	mistaken map[string]bool
	unread   map[string]bool

	// hidden has the strings with a user in a URL. They are not decoded, so that no
	// message can print a part of the password.
	hidden map[*yaml.Node]bool

	depth    int
	inAlias  int
	aliased  int
	overflow bool
	// origin has the Go value that DecodeMap made a node from. A field of type any gets
	// that value, not a copy.
	origin map[*yaml.Node]any
	// partial lists the parts of the tree that DecodeLiteral does not know.
	partial partial
}

func tooManyMistakes(file string) mistake.Mistake {
	return mistake.Mistake{File: file, Message: fmt.Sprintf("has more than %d mistakes", maxMistakes), Fix: "the rest is not shown"}
}

func newDecoder(file string, node *yaml.Node, path string, kinds Kinds) *decoder {
	if node != nil && node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node == nil {
		node = &yaml.Node{}
	}
	return &decoder{
		file: file, tree: node, root: root(path), kinds: kinds,
		mistaken: map[string]bool{}, unread: map[string]bool{}, hidden: map[*yaml.Node]bool{},
	}
}

func (d *decoder) decode(into any) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		d.reject(d.root, fmt.Sprintf("can't be read into a %T", into), "")
		return
	}
	d.rejectUserinfo(d.tree, d.root, 0)
	d.value(d.tree, d.root, v.Elem())
}

// reject records a value that could not be decoded or is not allowed.
func (d *decoder) reject(p *fieldPath, message, fix string) {
	if d.overflow {
		return
	}
	for q := p; q != nil; q = q.parent {
		d.unread[q.String()] = true
	}
	d.report(p, message, fix)
}

// rejectError records an error as reject does, with the fix if it is a mistake.Mistake.
func (d *decoder) rejectError(p *fieldPath, err error) {
	var m mistake.Mistake
	if !errors.As(err, &m) {
		m.Message = err.Error()
	}
	d.reject(p, m.Message, m.Fix)
}

// report records a mistake that does not affect other values, such as an unknown field.
func (d *decoder) report(p *fieldPath, message, fix string) {
	at, _, _ := p.find(d.tree)
	d.reportAt(at, p, message, fix)
}

func (d *decoder) reportAt(at *yaml.Node, p *fieldPath, message, fix string) {
	if d.overflow {
		return
	}
	for q := p; q != nil; q = q.parent {
		d.mistaken[q.String()] = true
	}
	m := mistake.Mistake{File: d.file, Path: redact(p.String()), Message: redact(message), Fix: redact(fix)}
	if at != nil {
		m.Line, m.Column = at.Line, at.Column
	}
	if d.overflow = len(d.mistakes) == maxMistakes; d.overflow {
		m = tooManyMistakes(d.file)
	}
	d.mistakes = append(d.mistakes, m)
}

// enter starts to decode a value: it follows an alias and enforces the bounds. It reports
// false if the value must be skipped.
func (d *decoder) enter(n *yaml.Node, p *fieldPath) (*yaml.Node, bool) {
	if d.overflow {
		return n, false
	}
	d.depth++
	if d.depth > maxDepth {
		d.reject(p, fmt.Sprintf("is nested more than %d deep", maxDepth), "")
		return n, false
	}
	if n.Kind == yaml.AliasNode {
		d.inAlias++
	}
	if d.inAlias > 0 {
		if d.aliased++; d.aliased > maxAliased {
			if d.aliased == maxAliased+1 {
				d.reject(p, fmt.Sprintf("the aliases of this document stand for more than %d values", maxAliased), "write the values out")
			}
			return n, false
		}
	}
	if n.Kind == yaml.AliasNode {
		if n = n.Alias; n == nil {
			d.reject(p, "is an alias of nothing", "")
			return nil, false
		}
	}
	return n, !d.hidden[n]
}

func (d *decoder) leave(n *yaml.Node) {
	d.depth--
	if n.Kind == yaml.AliasNode {
		d.inAlias--
	}
}

// value decodes one node into a Go value.
func (d *decoder) value(n *yaml.Node, p *fieldPath, into reflect.Value) {
	resolved, ok := d.enter(n, p)
	defer d.leave(n)
	if !ok {
		return
	}
	n = resolved
	if typ, computed := d.partial.computed[n]; computed {
		d.hole(p, into.Type(), typ)
		if into.Kind() == reflect.Interface && d.partial.fill != nil {
			into.Set(reflect.ValueOf(d.partial.fill))
		}
		return
	}
	for into.Kind() == reflect.Pointer {
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		into = into.Elem()
	}
	if into.Kind() == reflect.Interface && into.NumMethod() == 0 {
		if v := d.json(n, p); v != nil {
			into.Set(reflect.ValueOf(v))
		}
		return
	}
	if n.Kind == 0 || (n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null") {
		d.reject(p, "has no value", "set it or leave it out")
		return
	}
	if isText(into.Type()) {
		d.text(n, p, into.Addr().Interface().(encoding.TextUnmarshaler))
		return
	}
	if h, is := into.Addr().Interface().(*Header); is && n.Kind == yaml.ScalarNode {
		d.scalar(n, p, reflect.ValueOf(&h.Plain).Elem())
		return
	}
	if b, is := into.Addr().Interface().(*Bound); is && n.Kind == yaml.ScalarNode {
		d.bound(n, p, b)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.structure(n, p, into)
	case reflect.Map:
		d.mapping(n, p, into)
	case reflect.Slice:
		d.list(n, p, into)
	default:
		d.scalar(n, p, into)
	}
}

func (d *decoder) mapping(n *yaml.Node, p *fieldPath, into reflect.Value) {
	t := into.Type()
	if t.Key().Kind() != reflect.String {
		d.reject(p, fmt.Sprintf("can't be read into a %s", t), "")
		return
	}
	if n.Kind != yaml.MappingNode {
		d.reject(p, "must be a mapping, not "+describe(n), "write {key: value}")
		return
	}
	into.Set(reflect.MakeMap(t))
	if d.partial.open[n] {
		d.mark(p)
	}
	d.pairs(n, p, func(key string, _, value *yaml.Node) {
		element := reflect.New(t.Elem()).Elem()
		d.value(value, p.field(key), element)
		into.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), element)
	})
}

func (d *decoder) list(n *yaml.Node, p *fieldPath, into reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.reject(p, "must be a list, not "+describe(n), "write [a, b], or a line for each item, with a dash")
		return
	}
	out := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, p.item(i), out.Index(i))
	}
	into.Set(out)
}

// pairs calls do for each key of a mapping that is a string and not a repeated one.
func (d *decoder) pairs(n *yaml.Node, p *fieldPath, do func(key string, at, value *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !d.overflow; i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		if d.hidden[at] {
			continue
		}
		key := at
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		switch tag := key.ShortTag(); {
		case key.Kind != yaml.ScalarNode:
			d.reportAt(at, p, "has a key that is "+describe(key), "a key must be text")
			continue
		case tag == "!!merge":
			d.reportAt(at, p, "merge keys (<<) are not read", "write the fields out")
			continue
		case tag != "!!str":
			d.reportAt(at, p.field(key.Value), "a key must be text, not "+describe(key), "put it in quotes")
			continue
		}
		if line, twice := first[key.Value]; twice {
			d.reportAt(at, p.field(key.Value), fmt.Sprintf("is written twice, first on line %d", line), "keep one")
			continue
		}
		first[key.Value] = at.Line
		do(key.Value, at, value)
	}
}

// describe names the type of a node. It does not print a string, which may be a secret.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	default:
		return "a value with the tag " + quote(strings.TrimPrefix(tag, "tag:yaml.org,2002:"))
	}
}
