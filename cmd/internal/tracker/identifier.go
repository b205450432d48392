package tracker

import (
	"maps"
	"slices"
	"strings"
)

// identifier splits "metrics.`my key`" into the entity and the key. A key without a prefix is
// an attribute.
func (g *grammar) identifier(text string) (entity, key string, err error) {
	entity, key = "attribute", unquote(text)
	if prefix, rest, ok := strings.Cut(text, "."); ok && key == text {
		if entity, ok = g.entities[unquote(prefix)]; !ok {
			return "", "", invalid("Invalid entity type '%s'. Valid values are %s", shorten(prefix), names(g.entities))
		}
		key = unquote(rest)
	}
	if key == "" {
		return "", "", invalid("Invalid identifier '%s'. Columns should be specified as 'attribute.<key>', 'metric.<key>', 'tag.<key>' or 'param.<key>'.", shorten(text))
	}
	return entity, key, nil
}

// unquote removes backticks or double quotes.
func unquote(s string) string {
	for _, q := range []string{"`", `"`} {
		if len(s) > 1 && strings.HasPrefix(s, q) && strings.HasSuffix(s, q) && !strings.Contains(s[1:len(s)-1], q) {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// names lists the keys of a map, for a message.
func names[T any](m map[string]T) string {
	return "'" + strings.Join(slices.Sorted(maps.Keys(m)), "', '") + "'"
}
