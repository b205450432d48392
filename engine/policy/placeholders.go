package policy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// placeholder matches {name} and {input.target.name}. Those of other languages are not
// placeholders of an author who means a variable: {{name}}, ${name}, %{name}, {.name}, {3}.
var placeholder = regexp.MustCompile(`(^|[^{$%#\\])\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\]{}]*\])*)\}($|[^}])`)

// placeholders reports strings in what a rule proposes or denies with, in which a name
// stands in braces: Rego puts no value there. It follows variables, other rules and
// functions, but no built-in function, since replace may fill in a name. An object that
// `apply` writes may have placeholders of its own.
func (r *Revision) placeholders(rule *ast.Rule) mistake.Mistakes {
	if rule.Head.Key == nil {
		return nil
	}
	w := &placeholderWalk{compiler: r.compiler, seen: map[*ast.Term]bool{}}
	w.visit(rule, rule.Head.Key, nil)
	return w.found
}

type placeholderWalk struct {
	compiler *ast.Compiler
	seen     map[*ast.Term]bool
	found    mistake.Mistakes
}

// visit visits a term of a rule, at a path in the proposal.
func (w *placeholderWalk) visit(rule *ast.Rule, t *ast.Term, path []string) {
	if t == nil || w.seen[t] || len(path) == 2 && path[0] == "with" && path[1] == "object" {
		return
	}
	w.seen[t] = true
	switch v := t.Value.(type) {
	case ast.String:
		w.judge(locationOf(t, rule), string(v))
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) {
			name, _ := key.Value.(ast.String)
			w.visit(rule, value, append(path[:len(path):len(path)], string(name)))
		})
	case *ast.Array:
		v.Foreach(func(item *ast.Term) { w.visit(rule, item, append(path[:len(path):len(path)], "")) })
	case ast.Var:
		for _, e := range rule.Body {
			w.visitDefinition(rule, e, v, path)
		}
	case ast.Ref:
		if isData(v) && v.IsGround() {
			w.visitRules(v, path)
		}
	}
}

// visitDefinition visits the value that an expression gives a variable.
func (w *placeholderWalk) visitDefinition(rule *ast.Rule, e *ast.Expr, v ast.Var, path []string) {
	if defined, term, ok := definition(e); ok {
		if defined == v {
			w.visit(rule, term, path)
		}
		return
	}
	if !e.IsCall() || e.Negated || len(e.Operands()) == 0 || !isData(e.Operator()) {
		return
	}
	if out := e.Operands()[len(e.Operands())-1]; out.Value.Compare(v) == 0 {
		w.visitRules(e.Operator(), path)
	}
}

// visitRules visits the values of the rules or of the function of a name.
func (w *placeholderWalk) visitRules(name ast.Ref, path []string) {
	for _, rule := range w.compiler.GetRulesExact(name) {
		for r := rule; r != nil && !isTest(rule.Module); r = r.Else {
			w.visit(r, r.Head.Value, path)
		}
	}
}

func (w *placeholderWalk) judge(loc *ast.Location, text string) {
	m := placeholder.FindStringSubmatch(text)
	if m == nil {
		return
	}
	fix := "build the string by sprintf or concat"
	if len(text) <= 60 && !strings.ContainsAny(text, "%`\"\\\n") {
		var names []string
		format := text
		for next := m; next != nil; next = placeholder.FindStringSubmatch(format) {
			names = append(names, next[2])
			format = strings.Replace(format, "{"+next[2]+"}", "%v", 1)
		}
		fix = fmt.Sprintf("write sprintf(%q, [%s])", format, strings.Join(names, ", "))
	}
	w.found = append(w.found, at(loc, fmt.Sprintf("%s is this text as it stands: Rego puts no value in place of {%s}", clip(fmt.Sprintf("%q", text)), m[2]), fix))
}
