package verbparams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Apply are the parameters of `apply`.
type Apply struct {
	Object any `json:"object" required:"true" doc:"the object to make or change, as a manifest has it: apiVersion, kind, metadata.name and the fields to set; in the target's namespace. Its permissions are not among those that scanflow rbac prints: add a rule for its kind"`
}

// Check returns the mistakes in the values.
func (w Apply) Check() mistake.Mistakes {
	o, ok := w.Object.(map[string]any)
	if !ok {
		return mistake.Mistakes{{Path: "object", Message: "must be a mapping with apiVersion, kind and metadata"}}
	}
	var out mistake.Mistakes
	for _, field := range []string{"apiVersion", "kind"} {
		if text, _ := o[field].(string); text == "" {
			out.Add("object."+field, "is missing", "")
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	switch name, _ := meta["name"].(string); {
	case name == "":
		out.Add("object.metadata.name", "is missing", "")
	case strings.ContainsAny(name, "/%") || name == "." || name == "..":
		out.Add("object.metadata.name", fmt.Sprintf("%q is no name of an object", name), "a subresource can't be written")
	}
	for _, field := range slices.Sorted(maps.Keys(meta)) {
		if !slices.Contains([]string{"name", "namespace", "labels", "annotations"}, field) {
			out.Add(mistake.Key("object.metadata", field), "can't be set", "leave it out")
		}
	}
	if annotations, _ := meta["annotations"].(map[string]any); annotations[takeOver] != nil {
		out.Add(mistake.Key("object.metadata.annotations", takeOver), "is for people alone to write", "")
	}
	if _, has := o["status"]; has {
		out.Add("object.status", "is not to be set", "leave it out")
	}
	return append(out, checkKind(o)...)
}

func checkKind(o map[string]any) mistake.Mistakes {
	version, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	if reason := Protected(version, kind); reason != "" {
		return mistake.Mistakes{{Path: "object.kind", Message: ProtectedMessage(version, kind, reason), Fix: protectedFix}}
	}
	if _, items := o["items"].([]any); items && strings.HasSuffix(strings.ToLower(kind), "list") {
		return mistake.Mistakes{{Path: "object.kind", Message: fmt.Sprintf("a %s has several objects", kind), Fix: "propose each of them"}}
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
func checkMappings(field string, list []any) mistake.Mistakes {
	var out mistake.Mistakes
	if list != nil && len(list) == 0 {
		out.Add(field, "must not be empty", "leave it out to keep what is there")
	}
	for i, item := range list {
		if _, ok := item.(map[string]any); !ok {
			out.Add(fmt.Sprintf("%s[%d]", field, i), "must be a mapping", "")
		}
	}
	return out
}
