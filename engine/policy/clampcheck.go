package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// checkClamp checks the object that a `clamp` rule produces, as far as it is a literal. What
// is computed is checked when it is evaluated.
func checkClamp(rule *ast.Rule) mistake.Mistakes {
	obj, literal, ok := clampObject(rule)
	if !ok {
		if v := literal(rule.Head.Key).Value; ast.IsConstant(v) {
			return mistake.Mistakes{at(locationOf(rule.Head.Key, rule), "clamp must hold objects, not "+ast.ValueName(v), clampForm)}
		}
		return nil
	}
	var out mistake.Mistakes
	add := func(t *ast.Term, message, fix string) {
		out = append(out, at(locationOf(t, rule), message, fix))
	}
	keys, given, computed := map[string]*ast.Term{}, map[string]bool{}, false
	obj.Foreach(func(k, t *ast.Term) {
		key, is := k.Value.(ast.String)
		switch {
		case !ast.IsConstant(k.Value):
			computed = true
		case !is || !slices.Contains(clampKeys, string(key)):
			meant, fix := spelling.Nearest(string(key), clampKeys), "the keys are "+strings.Join(clampKeys, ", ")
			if meant != "" {
				given[meant], fix = true, "did you mean "+meant+"?"
			}
			add(k, fmt.Sprintf("clamp has the key %s", formatValue(k.Value)), fix)
		default:
			keys[string(key)], given[string(key)] = literal(t), true
		}
	})
	for key, read := range map[string]func(ast.Value) string{
		"with":   func(v ast.Value) string { _, problem := clampPath(v); return problem },
		"min":    func(v ast.Value) string { _, problem := clampBound("min", v); return problem },
		"max":    func(v ast.Value) string { _, problem := clampBound("max", v); return problem },
		"reason": func(v ast.Value) string { _, problem := clampReason(v); return problem },
	} {
		if t := keys[key]; t != nil && (ast.IsConstant(t.Value) || !mayBe(key, t.Value)) {
			if problem := read(t.Value); problem != "" {
				add(t, "clamp: "+problem, clampForm)
			}
		}
	}
	if !computed {
		for _, key := range []string{"with", "reason"} {
			if !given[key] {
				add(rule.Head.Key, "clamp: "+key+" is missing", clampForm)
			}
		}
		if !given["min"] && !given["max"] {
			add(rule.Head.Key, "clamp: min and max are missing", clampForm)
		}
	}
	if low, high := keys["min"], keys["max"]; len(out) == 0 && low != nil && high != nil {
		a, _ := clampBound("min", low.Value)
		b, _ := clampBound("max", high.Value)
		if a != nil && b != nil && a.value > b.value {
			add(low, fmt.Sprintf("clamp: min %s is above max %s", a, b), "swap them, or correct one")
		}
	}
	return sorted(out)
}

// mayBe reports whether a part of a rule that is no constant may have the type that a key
// wants: an object never is a number or a text.
func mayBe(key string, v ast.Value) bool {
	switch v.(type) {
	case ast.Object, ast.Set, *ast.ObjectComprehension, *ast.SetComprehension:
		return false
	case *ast.Array:
		return key == "with"
	case *ast.ArrayComprehension:
		return key == "with"
	}
	return true
}

// ClampReference is a place where a guard clamps a parameter by a literal name.
type ClampReference struct {
	Guard, Param string
	// Verbs are those that the METADATA of the rule names; nil for all.
	Verbs  []string
	File   string
	Line   int
	Column int
}

// ClampedParams returns the places where guards clamp parameters by literal names.
func (r *Revision) ClampedParams() []ClampReference {
	var out []ClampReference
	for _, rule := range r.guardRules {
		if ruleName(rule.rule) != clampRule {
			continue
		}
		obj, literal, ok := clampObject(rule.rule)
		if !ok {
			continue
		}
		with := obj.Get(ast.InternedTerm("with"))
		if with == nil {
			continue
		}
		value := literal(with)
		if !ast.IsConstant(value.Value) {
			continue
		}
		if path, problem := clampPath(value.Value); problem == "" {
			loc := locationOf(value, rule.rule)
			out = append(out, ClampReference{rule.guard, path[0], rule.scope.verbs, loc.File, loc.Row, loc.Col})
		}
	}
	return out
}

// clampObject finds the object that a `clamp` rule produces, written in the head or assigned
// to a variable in the body. literal resolves such variables.
func clampObject(rule *ast.Rule) (clamp ast.Object, literal func(*ast.Term) *ast.Term, ok bool) {
	literals := map[ast.Var]*ast.Term{}
	for _, e := range rule.Body {
		if v, term, ok := definition(e); ok && literals[v] == nil {
			literals[v] = term
		}
	}
	literal = func(t *ast.Term) *ast.Term {
		for range maxDepth {
			v, ok := t.Value.(ast.Var)
			if !ok || literals[v] == nil {
				break
			}
			t = literals[v]
		}
		return t
	}
	if !isSetRule(rule) {
		return nil, literal, false // Draft keeps invalid rules, to report on the others
	}
	clamp, ok = literal(rule.Head.Key).Value.(ast.Object)
	return clamp, literal, ok
}
