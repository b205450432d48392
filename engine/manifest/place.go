package manifest

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// place is a value's path in its document. It is spelt out only for a mistake: a
// text for every value of a deep document would cost the square of its size.
type place struct {
	parent *place
	key    string
	index  int // of a list's item; -1 for a field
}

// root is where a document, or a part of one, begins; its name may be empty.
func root(name string) *place { return &place{key: name, index: -1} }

func (p *place) field(key string) *place { return &place{parent: p, key: key, index: -1} }
func (p *place) item(i int) *place       { return &place{parent: p, index: i} }

const shownKey = 40

// String is "spec.sensors[0].prometheus.query"; a key that is no plain name is
// quoted: `spec.guards.cooldown["model.promote"]`.
func (p *place) String() string {
	var parts []string
	for ; p != nil; p = p.parent {
		switch {
		case p.index >= 0:
			parts = append(parts, "["+strconv.Itoa(p.index)+"]")
		case p.parent == nil:
			parts = append(parts, p.key)
		default:
			key := redact(p.key)
			if runes := []rune(key); len(runes) > shownKey {
				key = string(runes[:shownKey]) + "..."
			}
			parts = append(parts, mistake.Key("", key))
		}
	}
	slices.Reverse(parts)
	return strings.TrimPrefix(strings.Join(parts, ""), ".")
}

// at follows a path from a place: ".name", "[0]" and `["any key"]`, as String prints them.
func (p *place) at(path string) *place {
	for path != "" {
		switch {
		case strings.HasPrefix(path, `["`):
			quoted, err := strconv.QuotedPrefix(path[1:])
			if err != nil {
				return p
			}
			key, _ := strconv.Unquote(quoted) // which QuotedPrefix has checked
			p, path = p.field(key), strings.TrimPrefix(path[1+len(quoted):], "]")
		case path[0] == '[':
			index, rest, _ := strings.Cut(path[1:], "]")
			i, err := strconv.Atoi(index)
			if err != nil {
				return p
			}
			p, path = p.item(i), rest
		default:
			path = strings.TrimPrefix(path, ".")
			end := strings.IndexAny(path+".", ".[")
			p, path = p.field(path[:end]), path[end:]
		}
	}
	return p
}

// find looks a place up in the tree: the node that shows where it is (a field's
// key, a list's item) and its value. What isn't there is placed at the nearest
// thing around it.
func (p *place) find(tree *yaml.Node) (at, value *yaml.Node, there bool) {
	if p.parent == nil {
		return tree, tree, tree != nil
	}
	at, value, there = p.parent.find(tree)
	if !there {
		return at, nil, false
	}
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	switch {
	case p.index >= 0 && value.Kind == yaml.SequenceNode && p.index < len(value.Content):
		item := value.Content[p.index]
		return item, item, true
	case p.index < 0 && value.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(value.Content); i += 2 {
			if key := value.Content[i]; key.Kind == yaml.ScalarNode && key.Value == p.key {
				return key, value.Content[i+1], true
			}
		}
	}
	return at, nil, false
}
