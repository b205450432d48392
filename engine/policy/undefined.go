package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// undefinedRefs warns about references to data that neither a rule nor a data file
// defines. A rule with such a reference is always undefined, without an error.
func (r *Revision) undefinedRefs(m *ast.Module, data map[string]any) mistake.Mistakes {
	var out mistake.Mistakes
	reported := map[string]bool{}
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if !isData(ref) {
			return false
		}
		prefix := ref.GroundPrefix()
		if prefix.Equal(m.Package.Path) || len(prefix) < 2 || r.defined(prefix, data) || reported[prefix.String()] {
			return false
		}
		reported[prefix.String()] = true
		out = append(out, at(ref[0].Location, fmt.Sprintf("%s is defined by no rule and by no data file", prefix), "correct the name, or add a data.json or data.yaml at its place"))
		return false
	})
	return out
}

// defined reports whether there is a rule or data at, above or below a reference.
func (r *Revision) defined(ref ast.Ref, data map[string]any) bool {
	node := r.compiler.RuleTree
	for _, t := range ref {
		if node = node.Child(t.Value); node == nil || len(node.Values) > 0 {
			break
		}
	}
	if node != nil {
		return true
	}
	var v any = data
	for _, t := range ref[1:] {
		key, isKey := t.Value.(ast.String)
		obj, isObject := v.(map[string]any)
		if !isObject || !isKey {
			return true // below a value that is not an object
		}
		below, there := obj[string(key)]
		if !there {
			return false
		}
		v = below
	}
	return true
}
