package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// undefinedRefs reports references to data that neither a rule nor a data file defines. A
// reference without which a rule can't hold is a mistake, if an entrypoint depends on the
// rule: it is one of used. Any other is a warning: in a negation or a comprehension, or where
// another rule or a default gives the value.
func (r *Revision) undefinedRefs(m *ast.Module, data map[string]any, used map[*ast.Rule]bool) (mistakes, warnings mistake.Mistakes) {
	reported := map[string]bool{}
	for _, rule := range m.Rules {
		if !used[rule] || r.hasAlternative(rule) {
			continue
		}
		for _, e := range rule.Body {
			if e.Negated || len(e.With) > 0 {
				continue
			}
			walkNeeded(e, func(ref ast.Ref) {
				if prefix := r.undefinedPrefix(m, ref, data); prefix != nil && !reported[prefix.String()] {
					reported[prefix.String()] = true
					mistakes = append(mistakes, at(ref[0].Location, fmt.Sprintf("%s is defined by no rule and by no data file, so that this rule never holds", prefix), r.undefinedFix(prefix, data)))
				}
			})
		}
	}
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if prefix := r.undefinedPrefix(m, ref, data); prefix != nil && !reported[prefix.String()] {
			reported[prefix.String()] = true
			warnings = append(warnings, at(ref[0].Location, fmt.Sprintf("%s is defined by no rule and by no data file", prefix), "correct the name, or add a data.json or data.yaml at its place"))
		}
		return false
	})
	return mistakes, warnings
}

// walkNeeded visits the references that must be defined for an expression to hold.
func walkNeeded(e *ast.Expr, visit func(ast.Ref)) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		case *ast.Every:
			ast.WalkRefs(x.Domain, func(ref ast.Ref) bool { visit(ref); return false })
			return true
		case ast.Ref:
			visit(x)
		}
		return false
	}).Walk(e)
}

// hasAlternative reports whether something else gives the value of a rule that does not
// hold: a default, an else, or another rule of the same name. An element of a set or of an
// object has none.
func (r *Revision) hasAlternative(rule *ast.Rule) bool {
	if rule.Default || rule.Else != nil {
		return true
	}
	if rule.Head.DocKind() != ast.CompleteDoc {
		return false
	}
	others := 0
	for _, other := range r.compiler.GetRulesExact(rule.Ref().GroundPrefix()) {
		if !isTest(other.Module) {
			others++
		}
	}
	return others > 1
}

// undefinedPrefix returns the ground prefix of a reference to data that is not defined; nil
// for any other.
func (r *Revision) undefinedPrefix(m *ast.Module, ref ast.Ref, data map[string]any) ast.Ref {
	if !isData(ref) {
		return nil
	}
	prefix := ref.GroundPrefix()
	if prefix.Equal(m.Package.Path) || len(prefix) < 2 || r.defined(prefix, data) {
		return nil
	}
	return prefix
}

// undefinedFix names the data or the rule of a similar name, if there is one.
func (r *Revision) undefinedFix(ref ast.Ref, data map[string]any) string {
	node, v := r.compiler.RuleTree.Child(ref[0].Value), any(data)
	for i, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		below, _ := v.(map[string]any)
		names := slices.Collect(maps.Keys(below))
		var next *ast.TreeNode
		if node != nil {
			next = node.Child(t.Value)
			for key := range node.Children {
				if text, ok := key.(ast.String); ok {
					names = append(names, string(text))
				}
			}
		}
		if v = below[string(name)]; v == nil && next == nil {
			slices.Sort(names)
			if near := spelling.Nearest(string(name), names); near != "" {
				return "did you mean " + append(slices.Clone(ref[:i+1]), ast.StringTerm(near)).String() + "?"
			}
			break
		}
		node = next
	}
	return "correct the name, or add a data.json or data.yaml at its place; where it may be absent, read it in a rule with a default"
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
