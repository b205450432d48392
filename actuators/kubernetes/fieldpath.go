package kubernetes

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// fieldPath is the way to a field of an object. Each step is a name (string) or a
// place in a list (int).
type fieldPath []any

// parseFieldPath reads a dotted path, as in spec.containers[0].image or
// metadata.annotations['example.com/owner']. A leading dot is allowed, as custom
// resource definitions write it.
func parseFieldPath(text string) (fieldPath, error) {
	bad := func(why string) error {
		return fmt.Errorf("field %q: %s; write it like status.readyReplicas, spec.containers[0].image or metadata.annotations['example.com/owner']", text, why)
	}
	var p fieldPath
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

// find follows the path; false where it ends early, or at null.
func (p fieldPath) find(value any) (any, bool) {
	for _, step := range p {
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

// text is the string at the path, "" where there is none.
func (p fieldPath) text(from map[string]any) string {
	v, _ := p.find(from)
	s, _ := v.(string)
	return s
}

// integer is the whole number at the path.
func (p fieldPath) integer(from map[string]any) (int64, bool) {
	v, _ := p.find(from)
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

// each is the maps of the list at a path.
func each(from map[string]any, path ...any) []map[string]any {
	v, _ := fieldPath(path).find(from)
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// asJSON makes every number what the engine reads of JSON, a float64 or, where it would be
// another number as one, a json.Number: the value of a signal and that of a trigger are
// compared with such.
func asJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return jsonvalue.Exact(json.Number(strconv.FormatInt(v, 10)))
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = asJSON(v[k])
		}
	}
	return v
}
