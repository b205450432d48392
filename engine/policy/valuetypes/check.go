package valuetypes

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Policies are compiled policies, and what they are checked with.
type Policies struct {
	Compiler *ast.Compiler
	// Rules are checked. The rules that they refer to are only read, for their values.
	Rules []*ast.Rule
	// Schema is the JSON Schema of `input`, decoded.
	Schema any
	// Data returns the value of the data files at a path, nil if there is none.
	Data func(path []string) ast.Value
	// Ignore reports whether the rules of a module don't count, as those of tests.
	Ignore func(*ast.Module) bool
}

// Outcome is the result of a mistaken expression for every document.
type Outcome int

// The outcomes. An expression that is Undefined has no value. One that is Varying depends on
// the document, though not in a way that can be meant.
const (
	Undefined Outcome = iota
	AlwaysTrue
	AlwaysFalse
	Varying
)

// Finding is an expression that can never mean what its author meant.
type Finding struct {
	mistake.Mistake
	// Outcome is the value of the expression, wherever its operands have one.
	Outcome Outcome
	// Call is where a function is called that the expression is in, if it depends on that.
	Call Place

	// kind and near tell the findings of different calls of one function apart.
	kind string
	near bool
}

// Place is an expression in a file.
type Place struct {
	File         string
	Line, Column int
}

// Report is the result of Check.
type Report struct {
	// Findings are sorted by place.
	Findings []Finding
	// Skipped are the references and comparisons that were not judged, since their types
	// are not known, sorted.
	Skipped []Place
	// Complete is false if the policies were too large to be checked to the end.
	Complete bool
}

// Check looks for references and comparisons that can never mean anything.
func Check(p Policies) Report {
	c := &checker{Policies: p, rules: map[*ast.Rule]*Type{}, functions: map[string]*function{}, checked: map[*ast.Rule]bool{}, skipped: map[Place]bool{}}
	c.input = c.document(p.Schema)
	c.Rules = slices.SortedFunc(slices.Values(p.Rules), func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	for _, rule := range p.Rules {
		for r := rule; r != nil; r = r.Else {
			c.checked[r] = true
		}
	}
	for _, rule := range c.Rules {
		if len(rule.Head.Args) == 0 {
			c.rule(rule)
		}
	}
	c.judgeFunctions()
	return c.result()
}

type checker struct {
	Policies
	lattice
	input *Type
	// rules are the types of rules without arguments; nil while one is inferred.
	rules     map[*ast.Rule]*Type
	functions map[string]*function
	checked   map[*ast.Rule]bool
	findings  []Finding
	skipped   map[Place]bool
	// quiet is set while what is skipped does not count, since the calls of a function say it.
	quiet bool
	// depth is the number of rules and functions that are being inferred.
	depth int
}

// maxNesting bounds a chain of rules of which each refers to the next.
const maxNesting = 500

func (c *checker) result() Report {
	r := Report{Complete: !c.exhausted()}
	seen := map[string]bool{}
	for _, f := range c.findings {
		if key := f.Error(); !seen[key] {
			seen[key] = true
			r.Findings = append(r.Findings, f)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	for place := range c.skipped {
		r.Skipped = append(r.Skipped, place)
	}
	slices.SortFunc(r.Skipped, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r
}

// frame is one evaluation of a rule, or of a function for one call.
type frame struct {
	// types are those of the variables. OPA's compiler gives each variable of a module a
	// name of its own.
	types map[ast.Var]*Type
	// narrowed are the variables whose types tests have narrowed, in order.
	narrowed []narrowing
	// texts are the expressions that OPA's compiler put generated variables in place of.
	texts map[ast.Var]string
	// at is the expression that is inferred.
	at *ast.Location
	// generic is set for the evaluation of a function without a call: calls of others don't
	// count then.
	generic  bool
	findings []Finding
}

// narrowing is a variable with its type before a test.
type narrowing struct {
	v      ast.Var
	before *Type
}

func newFrame() *frame { return &frame{types: map[ast.Var]*Type{}, texts: map[ast.Var]string{}} }

// rule is the type of a rule that is no function. Its findings count if it is checked.
func (c *checker) rule(rule *ast.Rule) *Type {
	known, seen := c.rules[rule]
	if seen {
		return orUnknown(known)
	}
	if c.depth >= maxNesting {
		c.skip(rule.Location)
		return unknown
	}
	c.depth++
	defer func() { c.depth-- }()
	c.rules[rule] = nil
	out := never
	for r := rule; r != nil; r = r.Else {
		f := newFrame()
		if c.body(f, r.Body) {
			out = c.join(out, c.head(f, r))
		}
		if c.checked[rule] {
			c.findings = append(c.findings, f.findings...)
		}
	}
	c.rules[rule] = out
	return out
}

// head is the type of what a rule adds to the document that it is a part of.
func (c *checker) head(f *frame, rule *ast.Rule) *Type {
	h := rule.Head
	dynamic := len(h.Ref()) - len(h.Ref().GroundPrefix())
	switch {
	case dynamic == 0 && h.DocKind() == ast.CompleteDoc && h.Value != nil:
		return c.term(f, h.Value)
	case dynamic == 0 && h.DocKind() == ast.PartialSetDoc && h.Key != nil:
		return collectionOf(setKind, c.term(f, h.Key))
	case dynamic == 1 && h.DocKind() == ast.PartialObjectDoc && h.Value != nil:
		return objectOf(c.term(f, h.Ref()[len(h.Ref())-1]), c.term(f, h.Value))
	}
	if h.Value != nil {
		c.term(f, h.Value)
	}
	return unknown
}
