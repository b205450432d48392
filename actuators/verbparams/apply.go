package verbparams

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Apply are the parameters of `apply`.
type Apply struct {
	Object any `json:"object" required:"true" doc:"the object to make or change, as a manifest has it: apiVersion, kind, metadata.name and the fields to set; in the target's namespace. Its permissions are not among those that scanflow rbac prints: add a rule for its kind"`
}

// privileged lists the kinds that no policy may write, by group, since they grant permissions
// or run code for others; "*" is every kind of the group.
var privileged = map[string][]string{
	"":                             {"Secret", "ServiceAccount", "Namespace", "Node", "Binding", "List"},
	"admissionregistration.k8s.io": {"*"},
	"apiextensions.k8s.io":         {"*"},
	"apiregistration.k8s.io":       {"*"},
	"authentication.k8s.io":        {"*"},
	"authorization.k8s.io":         {"*"},
	"certificates.k8s.io":          {"*"},
	"rbac.authorization.k8s.io":    {"*"},
	"scanflow.dev":                 {"*"},
}

// Check returns the mistakes in the values.
func (w Apply) Check() []string {
	o, ok := w.Object.(map[string]any)
	if !ok {
		return []string{"object: must be a mapping with apiVersion, kind and metadata"}
	}
	var out []string
	for _, field := range []string{"apiVersion", "kind"} {
		if text, _ := o[field].(string); text == "" {
			out = append(out, "object."+field+": is missing")
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	if name, _ := meta["name"].(string); name == "" {
		out = append(out, "object.metadata.name: is missing")
	}
	for _, field := range slices.Sorted(maps.Keys(meta)) {
		if !slices.Contains([]string{"name", "namespace", "labels", "annotations"}, field) {
			out = append(out, fmt.Sprintf("object.metadata.%s: can't be set; leave it out", field))
		}
	}
	if annotations, _ := meta["annotations"].(map[string]any); annotations[takeOver] != nil {
		out = append(out, fmt.Sprintf("object.metadata.annotations.%s: is for people alone to write", takeOver))
	}
	if _, has := o["status"]; has {
		out = append(out, "object.status: is not to be set; leave it out")
	}
	return append(out, checkKind(o)...)
}

func checkKind(o map[string]any) []string {
	version, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	group, _, found := strings.Cut(version, "/")
	if !found {
		group = ""
	}
	kinds := privileged[group]
	if slices.Contains(kinds, "*") || slices.Contains(kinds, kind) {
		return []string{fmt.Sprintf("object.kind: a %s of %s gives power, so no policy may write it; let a person apply it", kind, version)}
	}
	return nil
}

// ApplyClaim returns the claim of `apply`: the object that it writes.
func ApplyClaim(with map[string]any) string {
	text := func(from map[string]any, name string) string { v, _ := from[name].(string); return v }
	o, _ := with["object"].(map[string]any)
	meta, _ := o["metadata"].(map[string]any)
	return "object/" + text(o, "kind") + "/" + text(meta, "name")
}

// checkMappings returns the mistakes in a list whose items must be mappings.
func checkMappings(field string, list []any) []string {
	var out []string
	if list != nil && len(list) == 0 {
		out = append(out, field+": must not be empty; leave it out to keep what is there")
	}
	for i, item := range list {
		if _, ok := item.(map[string]any); !ok {
			out = append(out, fmt.Sprintf("%s[%d]: must be a mapping", field, i))
		}
	}
	return out
}
