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

// Decode reads a YAML value into the struct that `into` points to, strictly: a
// field that isn't there, a field written twice, a value of another type, a
// required one missing, one outside its enum, and what a Checker finds are all
// mistakes, and all are returned. path is where the value stands in its document
// ("spec.sensors[0].http"), for the messages. It never panics, whatever the node.
func Decode(file string, node *yaml.Node, path string, into any) mistake.Mistakes {
	d := newDecoder(file, node, path, Kinds{})
	d.decode(into)
	return d.mistakes.Sorted()
}

// Bounds of one document, so that a small file can't become a large one.
const (
	maxDepth    = 50     // of values within values
	maxAliased  = 10_000 // values reached through aliases
	maxMistakes = 1_000  // that are shown
)

type decoder struct {
	file  string
	tree  *yaml.Node
	root  *place
	kinds Kinds

	mistakes mistake.Mistakes
	// touched are the places with a mistake at or below them; unread those where a
	// value could not be read, so that a further check of it would only confuse.
	touched map[string]bool
	unread  map[string]bool

	// hidden are the texts with a user in a URL. They are not read at all, so that
	// no message about them can show a part of the password.
	hidden map[*yaml.Node]bool

	depth    int
	inAlias  int
	aliased  int
	overflow bool
	// origin is the Go value that a node was made from (DecodeMap), handed on as it
	// is where the struct takes any JSON.
	origin map[*yaml.Node]any
}

func tooMany(file string) mistake.Mistake {
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
		touched: map[string]bool{}, unread: map[string]bool{}, hidden: map[*yaml.Node]bool{},
	}
}

func (d *decoder) decode(into any) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		d.bad(d.root, fmt.Sprintf("can't be read into a %T", into), "")
		return
	}
	d.hideUsers(d.tree, d.root, 0)
	d.value(d.tree, d.root, v.Elem())
}

// bad records a value that could not be read or is not allowed.
func (d *decoder) bad(p *place, message, fix string) {
	if d.overflow {
		return
	}
	for q := p; q != nil; q = q.parent {
		d.unread[q.String()] = true
	}
	d.odd(p, message, fix)
}

// wrong records an error as bad does; one that is a mistake has its fix apart.
func (d *decoder) wrong(p *place, err error) {
	var m mistake.Mistake
	if !errors.As(err, &m) {
		m.Message = err.Error()
	}
	d.bad(p, m.Message, m.Fix)
}

// odd records a mistake that leaves the value around it readable: a field too many.
func (d *decoder) odd(p *place, message, fix string) {
	at, _, _ := p.find(d.tree)
	d.oddAt(at, p, message, fix)
}

func (d *decoder) oddAt(at *yaml.Node, p *place, message, fix string) {
	if d.overflow {
		return
	}
	for q := p; q != nil; q = q.parent {
		d.touched[q.String()] = true
	}
	m := mistake.Mistake{File: d.file, Path: redact(p.String()), Message: redact(message), Fix: redact(fix)}
	if at != nil {
		m.Line, m.Column = at.Line, at.Column
	}
	if d.overflow = len(d.mistakes) == maxMistakes; d.overflow {
		m = tooMany(d.file)
	}
	d.mistakes = append(d.mistakes, m)
}

// enter steps into a value: it follows an alias and holds the bounds. The second
// result is false where the value may not be read.
func (d *decoder) enter(n *yaml.Node, p *place) (*yaml.Node, bool) {
	if d.overflow {
		return n, false
	}
	d.depth++
	if d.depth > maxDepth {
		d.bad(p, fmt.Sprintf("is nested more than %d deep", maxDepth), "")
		return n, false
	}
	if n.Kind == yaml.AliasNode {
		d.inAlias++
	}
	if d.inAlias > 0 {
		if d.aliased++; d.aliased > maxAliased {
			if d.aliased == maxAliased+1 {
				d.bad(p, fmt.Sprintf("the aliases of this document stand for more than %d values", maxAliased), "write the values out")
			}
			return n, false
		}
	}
	if n.Kind == yaml.AliasNode {
		if n = n.Alias; n == nil {
			d.bad(p, "is an alias of nothing", "")
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

// value reads one node into a Go value.
func (d *decoder) value(n *yaml.Node, p *place, into reflect.Value) {
	resolved, ok := d.enter(n, p)
	defer d.leave(n)
	if !ok {
		return
	}
	n = resolved
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
		d.bad(p, "has no value", "set it or leave it out")
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

func (d *decoder) mapping(n *yaml.Node, p *place, into reflect.Value) {
	t := into.Type()
	if t.Key().Kind() != reflect.String {
		d.bad(p, fmt.Sprintf("can't be read into a %s", t), "")
		return
	}
	if n.Kind != yaml.MappingNode {
		d.bad(p, "must be a mapping, not "+describe(n), "write {key: value}")
		return
	}
	into.Set(reflect.MakeMap(t))
	d.pairs(n, p, func(key string, _, value *yaml.Node) {
		element := reflect.New(t.Elem()).Elem()
		d.value(value, p.field(key), element)
		into.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), element)
	})
}

func (d *decoder) list(n *yaml.Node, p *place, into reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.bad(p, "must be a list, not "+describe(n), "write [a, b], or a line for each item, with a dash")
		return
	}
	out := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, p.item(i), out.Index(i))
	}
	into.Set(out)
}

// pairs calls back for each key of a mapping that is text and not there yet.
func (d *decoder) pairs(n *yaml.Node, p *place, do func(key string, at, value *yaml.Node)) {
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
			d.oddAt(at, p, "has a key that is "+describe(key), "a key must be text")
			continue
		case tag == "!!merge":
			d.oddAt(at, p, "merge keys (<<) are not read", "write the fields out")
			continue
		case tag != "!!str":
			d.oddAt(at, p.field(key.Value), "a key must be text, not "+describe(key), "put it in quotes")
			continue
		}
		if line, twice := first[key.Value]; twice {
			d.oddAt(at, p.field(key.Value), fmt.Sprintf("is written twice, first on line %d", line), "keep one")
			continue
		}
		first[key.Value] = at.Line
		do(key.Value, at, value)
	}
}

// describe says what a node is, without repeating a text, which may be a secret.
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
