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
// the value is null.
func Find(value any, path ...any) (any, bool) {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			m, ok := value.(map[string]any)
			if !ok {
				return nil, false
			}
			value = m[at]
		case int:
			list, ok := value.([]any)
			if !ok || at >= len(list) {
				return nil, false
			}
			value = list[at]
		}
	}
	return value, value != nil
}

// Text returns the string at a path, or "".
func Text(from map[string]any, path ...any) string {
	v, _ := Find(from, path...)
	s, _ := v.(string)
	return s
}

// Int returns the integer at a path. The bool is false where there is none.
func Int(from map[string]any, path ...any) (int64, bool) {
	v, _ := Find(from, path...)
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

// Maps returns the items of the list at a path that are maps.
func Maps(from map[string]any, path ...any) []map[string]any {
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
