package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Comparison is a string literal that a rule compares with a part of the input,
// by `==`, `!=` or `in`.
type Comparison struct {
	// Path is that part, below input; an element that is computed is "".
	Path []string
	Text string
	File string
	Line int
	// Column counts from 1.
	Column int
}

// Comparisons returns the comparisons in all rules except tests and shipped guards.
func (r *Revision) Comparisons() []Comparison {
	var out []Comparison
	for _, file := range slices.Sorted(maps.Keys(r.modules)) { // the parsed modules: the compiler rewrites references
		m := r.modules[file]
		if isTest(m) || strings.HasPrefix(file, source.ShippedLabel) {
			continue
		}
		for _, rule := range m.Rules {
			ast.WalkExprs(rule, func(e *ast.Expr) bool {
				out = append(out, comparisons(e, rule)...)
				return false
			})
		}
	}
	return out
}

func comparisons(e *ast.Expr, rule *ast.Rule) []Comparison {
	if !e.IsCall() || len(e.Operands()) != 2 {
		return nil
	}
	a, b := e.Operand(0), e.Operand(1)
	var texts []*ast.Term
	switch op := e.Operator(); {
	case e.IsEquality(), op.Equal(ast.Equal.Ref()), op.Equal(ast.NotEqual.Ref()):
		if _, ok := a.Value.(ast.Ref); !ok {
			a, b = b, a
		}
		texts = []*ast.Term{b}
	case op.Equal(ast.Member.Ref()):
		switch all := b.Value.(type) {
		case ast.Set:
			texts = all.Slice()
		case *ast.Array:
			all.Foreach(func(t *ast.Term) { texts = append(texts, t) })
		}
	}
	ref, ok := a.Value.(ast.Ref)
	if !ok || !isInput(ref) {
		return nil
	}
	var path []string
	for _, t := range ref[1:] {
		name, _ := t.Value.(ast.String)
		path = append(path, string(name))
	}
	var out []Comparison
	for _, t := range texts {
		if text, is := t.Value.(ast.String); is {
			loc := locationOf(e.OperatorTerm(), rule)
			out = append(out, Comparison{Path: path, Text: string(text), File: loc.File, Line: loc.Row, Column: loc.Col})
		}
	}
	return out
}

// ParamReference is a place where a rule reads a parameter of the proposal.
type ParamReference struct {
	Param string
	File  string
	Line  int
	// Column counts from 1.
	Column int
}

// ProposalParams returns the places where rules read a parameter of the proposal
// by name, except in tests and shipped guards.
func (r *Revision) ProposalParams() []ParamReference {
	var out []ParamReference
	for _, file := range slices.Sorted(maps.Keys(r.compiler.Modules)) {
		m := r.compiler.Modules[file]
		if isTest(m) || strings.HasPrefix(file, source.ShippedLabel) {
			continue
		}
		for _, rule := range m.Rules {
			ast.WalkRefs(rule, func(ref ast.Ref) bool {
				if len(ref) > 3 && isInput(ref) && ref[1].Value.Compare(ast.String("proposal")) == 0 && ref[2].Value.Compare(ast.String("with")) == 0 {
					if name, is := ref[3].Value.(ast.String); is {
						loc := locationOf(ref[0], rule)
						out = append(out, ParamReference{string(name), loc.File, loc.Row, loc.Col})
					}
				}
				return false
			})
		}
	}
	return out
}
