package sensors

import (
	"maps"
	"slices"
)

// What follows is the JSON Schema of values that are objects, for policies to be held
// against: a part that is misspelt is then found by `scanflow check`. It keeps to what
// OPA's type checker understands.

// typed is a value of a JSON type.
func typed(name string) map[string]any { return map[string]any{"type": name} }

// byKey is an object whose keys are not known before, and its values of a JSON type.
func byKey(name string) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": typed(name)}
}

// parts is an object with these parts and no others, each always there unless it is
// optional.
func parts(of map[string]any, optional ...string) map[string]any {
	required := []any{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": of, "required": required, "additionalProperties": false}
}
