package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// externalSchemas reports references in METADATA that make OPA's compiler read a
// schema from a file of this machine. References by http are already refused by the
// capabilities.
func externalSchemas(m *ast.Module) mistake.Mistakes {
	var out mistake.Mistakes
	for _, a := range m.Annotations {
		for _, s := range a.Schemas {
			if s.Definition == nil {
				continue
			}
			if ref := externalRef(*s.Definition); ref != "" {
				out = append(out, at(a.Location, fmt.Sprintf("the schema of %s refers to %s", s.Path, clip(fmt.Sprintf("%q", ref))), "write out what it refers to, under definitions, and refer to it as #/definitions/NAME"))
			}
		}
	}
	return out
}

// externalRef returns the first reference out of a schema, or "".
func externalRef(schema any) string {
	switch v := schema.(type) {
	case map[string]any:
		for key, below := range v {
			text, is := below.(string)
			if is && isExternal(key, text) {
				return text
			}
			if ref := externalRef(below); ref != "" {
				return ref
			}
		}
	case []any:
		for _, below := range v {
			if ref := externalRef(below); ref != "" {
				return ref
			}
		}
	}
	return ""
}

// isExternal reports whether a value of a schema refers to something outside of it.
// An $id counts too, because relative references are resolved against it.
func isExternal(key, text string) bool {
	switch key {
	case "$ref":
		return !strings.HasPrefix(text, "#")
	case "$id", "id", "$schema":
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "file:")
	}
	return false
}
