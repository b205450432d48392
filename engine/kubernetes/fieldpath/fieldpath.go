// Package fieldpath reads single fields of objects whose Go type is unknown, such as
// unstructured.Unstructured. It imports neither the engine nor a Kubernetes client.
package fieldpath

import (
	"fmt"
	"strconv"
	"strings"
)

// Path leads to a field of an object. Each step is a field's name (string) or an index
// of a list (int).
type Path []any

// Parse reads a dotted path such as spec.containers[0].image or
// metadata.annotations['example.com/owner']. It accepts a leading dot, which the paths of
// custom resource definitions have.
func Parse(text string) (Path, error) {
	bad := func(why string) error {
		return fmt.Errorf("field %q: %s; write it like status.readyReplicas, spec.containers[0].image or metadata.annotations['example.com/owner']", text, why)
	}
	var p Path
	for rest, first := strings.TrimPrefix(text, "."), true; first || rest != ""; first = false {
		if inside, bracket := strings.CutPrefix(rest, "["); bracket && !first {
			if quote := strings.TrimLeft(inside, `'"`); len(quote) == len(inside)-1 {
				name, after, closed := strings.Cut(quote, inside[:1]+"]")
				if !closed || name == "" {
					return nil, bad("a quoted name has no end")
				}
				p, rest = append(p, name), after
			} else {
				number, after, closed := strings.Cut(inside, "]")
				i, err := strconv.Atoi(number)
				if !closed || err != nil || i < 0 {
					return nil, bad("between [ and ] stands a number or a quoted name")
				}
				p, rest = append(p, i), after
			}
			continue
		}
		if !first {
			dotted, ok := strings.CutPrefix(rest, ".")
			if !ok {
				return nil, bad("after ] comes a dot, a [ or the end")
			}
			rest = dotted
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		name := rest[:end]
		if name == "" || strings.ContainsAny(name, " ]'\"") {
			return nil, bad("a name is missing or has a character that needs quotes")
		}
		p, rest = append(p, name), rest[end:]
	}
	return p, nil
}

// Names returns the path through these fields.
func Names(names ...string) Path {
	p := make(Path, len(names))
	for i, name := range names {
		p[i] = name
	}
	return p
}

// String is the text that Parse reads.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch at := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", at)
		case string:
			switch {
			case strings.ContainsAny(at, "./"):
				fmt.Fprintf(&b, "['%s']", at)
			case b.Len() == 0:
				b.WriteString(at)
			default:
				b.WriteString("." + at)
			}
		}
	}
	return b.String()
}

// Find returns the value at a path. The bool is false where the path does not exist, or
// the value is null. A Node at the end of the path is converted to maps and lists.
func Find(value any, path ...any) (any, bool) {
	value = walk(value, path)
	if node, ok := value.(Node); ok {
		value = node.JSON()
	}
	return value, value != nil
}

// walk returns the value at a path, which may be a Node; nil where there is none.
func walk(value any, path []any) any {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			value = field(value, at)
		case int:
			value = item(value, at)
		}
		if value == nil {
			return nil
		}
	}
	return value
}

func field(value any, name string) any {
	switch v := value.(type) {
	case map[string]any:
		return v[name]
	case Node:
		return v.Field(name)
	}
	return nil
}

func item(value any, i int) any {
	switch v := value.(type) {
	case []any:
		if i < len(v) {
			return v[i]
		}
	case Node:
		if i < v.Len() {
			return v.Item(i)
		}
	}
	return nil
}

// Text returns the string at a path, or "".
func Text(from any, path ...any) string {
	s, _ := walk(from, path).(string)
	return s
}

// Int returns the integer at a path. The bool is false where there is none.
func Int(from any, path ...any) (int64, bool) {
	switch n := walk(from, path).(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

// Maps returns the items of the list at a path that are maps.
func Maps(from any, path ...any) []map[string]any {
	v, _ := Find(from, path...)
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
