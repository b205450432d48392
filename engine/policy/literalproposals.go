package policy

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/literal"
)

// LiteralProposal is the proposal of a `propose` rule, as far as the text of the rule tells.
type LiteralProposal struct {
	// File, Line and Column are the place of the rule.
	File         string
	Line, Column int
	// Object is the proposal. It is Computed if the rule has none that the text tells.
	Object literal.Value
}

// Proposals returns what the rules of a strategy propose.
func (r *Revision) Proposals(strategy string) []LiteralProposal {
	s := r.strategies[strategy]
	if s == nil {
		return nil
	}
	var out []LiteralProposal
	for _, rule := range s.rules {
		p := LiteralProposal{File: rule.Location.File, Line: rule.Location.Row, Column: rule.Location.Col}
		if proposal, ok := r.proposal(rule); ok {
			p.Object = literalOf(proposal)
			if p.Object.Line == 0 {
				p.Object.Line, p.Object.Column = p.Line, p.Column
			}
		}
		out = append(out, p)
	}
	return out
}

// literalOf converts a term of known.
func literalOf(t *ast.Term) literal.Value {
	var out literal.Value
	out.Line, out.Column = rowAndColumn(t)
	switch v := t.Value.(type) {
	case ast.Var:
		out.Type = string(v)
	case ast.Null:
		out.Kind = literal.Scalar
	case ast.Boolean:
		out.Kind, out.JSON = literal.Scalar, bool(v)
	case ast.String:
		out.Kind, out.JSON = literal.Scalar, string(v)
	case ast.Number:
		out.Kind, out.JSON = literal.Scalar, json.Number(v)
	case *ast.Array:
		out.Kind = literal.Array
		v.Foreach(func(item *ast.Term) { out.Items = append(out.Items, literalOf(item)) })
	case ast.Set: // a proposal has its elements in their order
		out.Kind = literal.Array
		for _, item := range v.Slice() {
			out.Items = append(out.Items, literalOf(item))
		}
	case ast.Object:
		out.Kind = literal.Object
		v.Foreach(func(key, value *ast.Term) {
			name, ok := key.Value.(ast.String)
			if !ok { // computed, or refused as no string
				out.Open = true
				return
			}
			f := literal.Field{Key: string(name), Value: literalOf(value)}
			f.Line, f.Column = rowAndColumn(key)
			out.Fields = append(out.Fields, f)
		})
	}
	return out
}

func rowAndColumn(t *ast.Term) (row, column int) {
	if t.Location == nil {
		return 0, 0
	}
	return t.Location.Row, t.Location.Col
}

// MisplacedPropose is a `propose` rule outside of the packages of strategies.
type MisplacedPropose struct {
	Package string
	File    string
	Line    int
}

// MisplacedProposes returns the packages with a `propose` rule that are no strategies, except tests.
func (r *Revision) MisplacedProposes() []MisplacedPropose {
	var out []MisplacedPropose
	for _, file := range slices.Sorted(maps.Keys(r.compiler.Modules)) {
		m := r.compiler.Modules[file]
		if _, ok := packageName(m.Package.Path, strategiesRoot); ok || isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			if ruleName(rule) == "propose" {
				out = append(out, MisplacedPropose{withoutData(m.Package.Path.String()), file, rule.Location.Row})
				break
			}
		}
	}
	return out
}
