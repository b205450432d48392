package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Rules of one guard may have different scopes, and OPA evaluates them together. So each has
// an expression that fails where the input lists its place: `not input["unbound rules"][PLACE]`.
// Tests, whose inputs have no such list, evaluate all rules.

var keyUnbound = ast.StringTerm("unbound rules")

// insertScopes inserts that expression into the rules of the guards of which a rule has a
// scope of its own.
func insertScopes(modules map[string]*ast.Module) {
	own := map[string]bool{}
	for _, m := range modules {
		if _, is := packageName(m.Package.Path, guardsRoot); !is || isTest(m) {
			continue
		}
		for _, a := range m.Annotations {
			if a.Scope != "package" && slices.ContainsFunc(scopeKeys, func(key string) bool { return a.Custom[key] != nil }) {
				own[m.Package.Path.String()] = true
			}
		}
	}
	for _, m := range modules {
		if !own[m.Package.Path.String()] || isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			if isGuardRule(rule) {
				e := ast.NewExpr(ast.NewTerm(ast.Ref{ast.InputRootDocument, keyUnbound, ast.StringTerm(ruleLocation(rule))}))
				e.Negated, e.Location = true, rule.Location
				ast.WalkTerms(e, func(t *ast.Term) bool {
					if t.Location == nil {
						t.Location = rule.Location
					}
					return false
				})
				rule.Body = ast.NewBody(append([]*ast.Expr{e}, rule.Body...)...)
			}
		}
	}
}

// removeScopes removes what insertScopes inserted, for a compiler that only checks types.
func removeScopes(m *ast.Module) {
	for _, rule := range m.Rules {
		body := slices.DeleteFunc(slices.Clone(rule.Body), isScopeExpr)
		if len(body) < len(rule.Body) {
			rule.Body = ast.NewBody(body...)
		}
	}
}

// withoutScopes returns rules without what insertScopes inserted.
func withoutScopes(rules map[*ast.Rule]bool) []*ast.Rule {
	var out []*ast.Rule
	for rule := range rules {
		if slices.ContainsFunc(rule.Body, isScopeExpr) {
			c := *rule
			c.Body = slices.DeleteFunc(slices.Clone(rule.Body), isScopeExpr)
			rule = &c
		}
		out = append(out, rule)
	}
	return out
}

func isScopeExpr(e *ast.Expr) bool {
	t, is := e.Terms.(*ast.Term)
	if !is {
		return false
	}
	ref, is := t.Value.(ast.Ref)
	return is && isInput(ref) && len(ref) == 3 && ref[1].Equal(keyUnbound)
}

// unboundRules is the list in the input of a guard.
func unboundRules(places []string) [2]*ast.Term {
	items := make([][2]*ast.Term, len(places))
	for i, place := range places {
		items[i] = [2]*ast.Term{ast.StringTerm(place), ast.BooleanTerm(true)}
	}
	return [2]*ast.Term{keyUnbound, ast.ObjectTerm(items...)}
}
