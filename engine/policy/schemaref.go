package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// foreignSchemas finds what the METADATA of a module would have OPA read as it compiles:
// a schema by the URL of a file is read from this machine, whatever is in its place by
// then, while one by http is refused by OPA's capabilities.
func foreignSchemas(m *ast.Module) mistake.Mistakes {
	var out mistake.Mistakes
	for _, a := range m.Annotations {
		for _, s := range a.Schemas {
			if s.Definition == nil {
				continue
			}
			if ref := foreignRef(*s.Definition); ref != "" {
				out = append(out, at(a.Location, fmt.Sprintf("the schema of %s refers to %s", s.Path, clip(fmt.Sprintf("%q", ref))), "write out what it refers to, under definitions, and refer to it as #/definitions/NAME"))
			}
		}
	}
	return out
}

// foreignRef is the first reference of a schema that leads out of it, "" where none does.
func foreignRef(schema any) string {
	switch v := schema.(type) {
	case map[string]any:
		for key, below := range v {
			text, is := below.(string)
			if is && leadsOut(key, text) {
				return text
			}
			if ref := foreignRef(below); ref != "" {
				return ref
			}
		}
	case []any:
		for _, below := range v {
			if ref := foreignRef(below); ref != "" {
				return ref
			}
		}
	}
	return ""
}

// leadsOut reports whether a schema's reference is not to a part of itself. Its own name
// is what relative ones are resolved against.
func leadsOut(key, text string) bool {
	switch key {
	case "$ref":
		return !strings.HasPrefix(text, "#")
	case "$id", "id", "$schema":
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "file:")
	}
	return false
}
