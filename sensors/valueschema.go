package sensors

import (
	"maps"
	"slices"
)

// The JSON Schemas of values that are objects. `scanflow check` type-checks policies against
// them and reports misspelt fields. They use only what OPA's type checker supports.

// typeSchema is the schema of a JSON type.
func typeSchema(name string) map[string]any { return map[string]any{"type": name} }

// mapSchema is the schema of an object with arbitrary keys and values of a JSON type.
func mapSchema(name string) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": typeSchema(name)}
}

// objectSchema is the schema of an object with exactly these fields. All but the optional ones
// are required.
func objectSchema(fields map[string]any, optional ...string) map[string]any {
	required := []any{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": fields, "required": required, "additionalProperties": false}
}
