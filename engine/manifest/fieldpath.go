package manifest

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// fieldPath is a value's path in its document. The string is built only for a mistake: one
// for every value of a deep document would take quadratic time.
type fieldPath struct {
	parent *fieldPath
	key    string
	index  int // of a list item; -1 for a field
}

// root is the path of a document, or of a part of one; its name may be empty.
func root(name string) *fieldPath { return &fieldPath{key: name, index: -1} }

func (p *fieldPath) field(key string) *fieldPath { return &fieldPath{parent: p, key: key, index: -1} }
func (p *fieldPath) item(i int) *fieldPath       { return &fieldPath{parent: p, index: i} }

const shownKey = 40

// String is like `spec.sensors[0].prometheus.query`. A key that is not a plain name is
// quoted, as mistake.Key does it.
func (p *fieldPath) String() string {
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

// at appends a path in the form of String: ".name", "[0]" and `["any key"]`.
func (p *fieldPath) at(path string) *fieldPath {
	for path != "" {
		switch {
		case strings.HasPrefix(path, `["`):
			quoted, err := strconv.QuotedPrefix(path[1:])
			if err != nil {
				return p
			}
			key, _ := strconv.Unquote(quoted) // QuotedPrefix has validated it
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

// find looks a path up in a tree. at is the node whose line a mistake shows: the key of a
// field, or a list item. For a path that is not there, at is the nearest node around it.
func (p *fieldPath) find(tree *yaml.Node) (at, value *yaml.Node, there bool) {
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
