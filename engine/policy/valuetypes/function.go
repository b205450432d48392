package valuetypes

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxContexts bounds the different calls of one function that are evaluated.
const maxContexts = 16

// function is a function of the policies with its calls.
type function struct {
	clauses  []*ast.Rule // with those after else, each on its own
	defaults bool
	contexts []*context
	// more is set if there are calls that were not evaluated.
	more bool
}

// context is the evaluation of a function for one list of arguments.
type context struct {
	args   []*Type
	place  *ast.Location
	result *Type
	// live and findings are by clause. A clause is not live if the arguments can't match it.
	live     []bool
	findings [][]Finding
}

// callFunction infers a call of a function of the policies.
func (c *checker) callFunction(f *frame, e *ast.Expr, operator ast.Ref) {
	operands := e.Operands()
	args := make([]*Type, len(operands))
	result := unknown
	fn := c.functionOf(operator)
	arity := len(operands)
	if len(fn.clauses) > 0 {
		arity = min(arity, len(fn.clauses[0].Head.Args))
	}
	for i, o := range operands[:arity] {
		args[i] = c.term(f, o)
	}
	if !f.generic {
		result = c.evaluate(fn, args[:arity], e.Location)
	}
	if arity < len(operands) {
		c.output(f, e, operands[arity], result)
	}
}

// output binds the operand that a call gives its result to.
func (c *checker) output(f *frame, e *ast.Expr, out *ast.Term, result *Type) {
	if v, ok := f.unbound(out); ok {
		f.types[v] = result
		if e.Location != nil {
			f.texts[v] = string(e.Location.Text)
		}
		return
	}
	c.bindPattern(f, out, result)
}

func (c *checker) functionOf(operator ast.Ref) *function {
	name := operator.String()
	if fn := c.functions[name]; fn != nil {
		return fn
	}
	fn := &function{}
	c.functions[name] = fn
	for _, rule := range c.Compiler.GetRulesExact(operator) {
		if c.Ignore(rule.Module) {
			continue
		}
		if rule.Default {
			fn.defaults = true
			continue
		}
		for r := rule; r != nil; r = r.Else {
			fn.clauses = append(fn.clauses, r)
		}
	}
	return fn
}

// evaluate is the type of a function's value for some arguments.
func (c *checker) evaluate(fn *function, args []*Type, place *ast.Location) *Type {
	for _, known := range fn.contexts {
		if slices.EqualFunc(known.args, args, sameType) {
			return orUnknown(known.result)
		}
	}
	if len(fn.contexts) >= maxContexts || c.depth >= maxNesting {
		fn.more = true
		c.skip(place)
		return unknown
	}
	c.depth++
	defer func() { c.depth-- }()
	x := &context{args: args, place: place}
	fn.contexts = append(fn.contexts, x)
	result := never
	if fn.defaults {
		result = unknown
	}
	for _, clause := range fn.clauses {
		live, value, findings := c.evaluateClause(clause, args, false)
		x.live, x.findings = append(x.live, live), append(x.findings, findings)
		result = c.join(result, value)
	}
	if len(fn.clauses) == 0 {
		result = unknown
	}
	x.result = result
	return result
}

// sameType reports whether two types are the same, or scalars that are alike.
func sameType(a, b *Type) bool {
	return a == b || a.kinds == b.kinds && a.kinds&containers == 0 && a.enum == b.enum && a.setting == b.setting && slices.Equal(a.texts, b.texts)
}

func (c *checker) evaluateClause(clause *ast.Rule, args []*Type, generic bool) (live bool, value *Type, findings []Finding) {
	f := newFrame()
	f.generic = generic
	for i, parameter := range clause.Head.Args {
		arg := unknown
		if i < len(args) {
			arg = args[i]
		}
		if !c.accepts(f, parameter, arg) {
			return false, never, nil
		}
		c.bindPattern(f, parameter, arg)
	}
	if !c.body(f, clause.Body) {
		return false, never, f.findings
	}
	if clause.Head.Value == nil {
		return true, boolType, f.findings
	}
	return true, c.term(f, clause.Head.Value), f.findings
}

// accepts reports whether an argument may match a parameter that is a pattern.
func (c *checker) accepts(f *frame, parameter *ast.Term, arg *Type) bool {
	switch v := parameter.Value.(type) {
	case ast.Var:
		return true
	case ast.String:
		return arg.kinds == 0 || arg.kinds&textKind != 0 && (arg.texts == nil || slices.Contains(arg.texts, string(v)))
	case *ast.Array:
		return arg.kinds == 0 || arg.kinds&arrayKind != 0
	case ast.Object:
		return arg.kinds == 0 || arg.kinds&objectKind != 0
	default:
		return overlap(c.term(f, parameter), arg)
	}
}

// judgeFunctions adds the findings in functions. One that depends on the arguments counts
// if every call has it, and if no other clause accepts one of these calls without a
// finding: a function may have a clause a form of its argument. A misspelt name always
// counts.
func (c *checker) judgeFunctions() {
	for _, rule := range c.Rules {
		if len(rule.Head.Args) > 0 {
			c.functionOf(rule.Ref())
		}
	}
	for _, fn := range c.functions {
		for i, clause := range fn.clauses {
			if !c.checked[clause] {
				continue
			}
			c.quiet = len(fn.contexts) > 0 && !fn.more
			_, _, findings := c.evaluateClause(clause, nil, true)
			c.quiet = false
			c.findings = append(c.findings, findings...)
			if fn.more {
				continue
			}
			for _, found := range fn.common(i) {
				if !slices.ContainsFunc(findings, found.finding.same) && (found.finding.near || !fn.otherwise(i)) {
					c.findings = append(c.findings, found.named())
				}
			}
		}
	}
}

// calledFinding is a finding that a call causes.
type calledFinding struct {
	finding Finding
	place   *ast.Location
}

// named is the finding, with the place of the call.
func (f calledFinding) named() Finding {
	out := f.finding
	if f.place != nil {
		out.Call = Place{f.place.File, f.place.Row, f.place.Col}
		out.Message += fmt.Sprintf(", as %s:%d calls it", f.place.File, f.place.Row)
	}
	return out
}

// common are the findings of a clause that all calls have which it accepts.
func (fn *function) common(clause int) []calledFinding {
	var out []calledFinding
	first := true
	for _, x := range fn.contexts {
		switch {
		case !x.live[clause]:
		case first:
			first = false
			for _, found := range x.findings[clause] {
				out = append(out, calledFinding{found, x.place})
			}
		default:
			out = slices.DeleteFunc(out, func(f calledFinding) bool { return !slices.ContainsFunc(x.findings[clause], f.finding.same) })
		}
	}
	return out
}

// otherwise reports whether another clause gives a call of this one its value.
func (fn *function) otherwise(clause int) bool {
	if fn.defaults {
		return true
	}
	for _, x := range fn.contexts {
		for i := range fn.clauses {
			if i != clause && x.live[clause] && x.live[i] && len(x.findings[i]) == 0 {
				return true
			}
		}
	}
	return false
}

func (f Finding) same(other Finding) bool {
	return f.File == other.File && f.Line == other.Line && f.Column == other.Column && f.kind == other.kind
}
