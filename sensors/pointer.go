package sensors

import (
	"errors"
	"strconv"
	"strings"
)

// pointer is a JSON Pointer (RFC 6901): the names on the way from the top.
type pointer []string

func parsePointer(text string) (pointer, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, errors.New("a JSON Pointer begins with /, as in /stats/accuracy")
	}
	p := pointer(strings.Split(text[1:], "/"))
	for i, name := range p {
		for rest := name; ; {
			_, after, escape := strings.Cut(rest, "~")
			if !escape {
				break
			}
			if after == "" || (after[0] != '0' && after[0] != '1') {
				return nil, errors.New("~ is written ~0 in a JSON Pointer, and / within a name ~1")
			}
			rest = after
		}
		p[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return p, nil
}

// inPointer writes any text as one name of a pointer.
func inPointer(value string) (string, error) {
	return strings.ReplaceAll(strings.ReplaceAll(value, "~", "~0"), "/", "~1"), nil
}

// find follows the pointer; false where the way ends before it does.
func (p pointer) find(doc any) (any, bool) {
	for _, name := range p {
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[name]
			if !ok {
				return nil, false
			}
			doc = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != name {
				return nil, false
			}
			doc = v[i]
		default:
			return nil, false
		}
	}
	return doc, true
}
