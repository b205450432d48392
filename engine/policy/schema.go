package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/valuetypes"
)

// CheckAgainst type-checks the strategies with a JSON Schema of `input` (as JSON
// text or decoded), so that a signal or param that the agent does not have is a
// mistake. Of the packages that the strategies use, it checks the rules that they
// depend on. It returns nil if there are no mistakes.
func (r *Revision) CheckAgainst(schema any, strategies []string) []mistake.Mistake {
	if raw, ok := schema.([]byte); ok {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return mistake.Mistakes{{Message: "the schema is not JSON: " + err.Error()}}
		}
		schema = v
	}
	var mistakes mistake.Mistakes
	own := map[string]bool{} // packages that are checked as a whole
	for _, name := range strategies {
		s := r.strategies[name]
		if s == nil {
			mistakes = append(mistakes, mistake.Mistake{Message: fmt.Sprintf("there is no strategy %q", name), Fix: "the strategies are " + quotedList(r.Strategies())})
			continue
		}
		own[s.pkg.String()] = true
	}
	return sorted(append(mistakes, r.checkPackages(schema, own)...))
}

// CheckGuards is CheckAgainst for guards, whose `input` includes the proposal.
func (r *Revision) CheckGuards(schema any, guards []string) []mistake.Mistake {
	own := map[string]bool{}
	for _, g := range r.guards {
		if slices.Contains(guards, g.name) {
			own[g.pkg.String()] = true
		}
	}
	return sorted(r.checkPackages(schema, own))
}

func (r *Revision) checkPackages(schema any, own map[string]bool) mistake.Mistakes {
	used := map[*ast.Rule]bool{}
	t := newTracer(r.compiler)
	for _, m := range r.compiler.Modules {
		if own[m.Package.Path.String()] && !isTest(m) {
			for _, rule := range m.Rules {
				t.collectDependencies(rule, used)
			}
		}
	}
	if len(used) == 0 {
		return nil
	}
	places := map[string]bool{}
	for rule := range used {
		places[ruleLocation(rule)] = true
	}
	modules := map[string]*ast.Module{}
	for file, m := range r.modules {
		if isTest(m) {
			continue
		}
		c := m.Copy()
		unboundEquals(c)
		removeScopes(c)
		c.Rules = slices.DeleteFunc(c.Rules, func(rule *ast.Rule) bool { return !places[ruleLocation(rule)] })
		if len(c.Rules) > 0 {
			modules[file] = c
		}
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	compiler := newCompiler().WithSchemas(schemas)
	var fromCompiler mistake.Mistakes
	if compiler.Compile(modules); compiler.Failed() {
		fromCompiler = fromOPA(compiler.Errors)
	}
	found := r.valueTypes(schema, withoutScopes(used))
	mistakes := withoutFound(fromCompiler, found)
	for _, f := range found {
		mistakes = append(mistakes, f.Mistake)
	}
	return mistakes
}

// valueTypes checks the types of values, which goes further than OPA's type checker.
func (r *Revision) valueTypes(schema any, rules []*ast.Rule) []valuetypes.Finding {
	return valuetypes.Check(valuetypes.Policies{
		Compiler: r.compiler, Rules: rules, Schema: schema, Ignore: isTest,
		Data: func(path []string) ast.Value {
			v, err := storage.ReadOne(context.Background(), r.store, path)
			if err != nil {
				return nil // there is none
			}
			value, _ := v.(ast.Value)
			return value
		},
	}).Findings
}

// withoutFound drops OPA's type errors on lines where a finding says the same with a fix.
func withoutFound(fromCompiler mistake.Mistakes, found []valuetypes.Finding) mistake.Mistakes {
	type line struct {
		file string
		row  int
	}
	lines := map[line]bool{}
	for _, f := range found {
		lines[line{f.File, f.Line}], lines[line{f.Call.File, f.Call.Line}] = true, true
	}
	return slices.DeleteFunc(fromCompiler, func(m mistake.Mistake) bool {
		return strings.HasPrefix(m.Message, ast.TypeErr+": ") && !strings.Contains(m.Message, "undefined function") && lines[line{m.File, m.Line}]
	})
}

// ruleLocation identifies a rule by its location, which compiling does not change.
func ruleLocation(r *ast.Rule) string {
	if r.Location == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", r.Location.File, r.Location.Row, r.Location.Col)
}
