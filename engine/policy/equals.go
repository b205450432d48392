package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// boundEquals has `a == b` call a built-in where both sides may be large. OPA compiles
// `==` to unification, which has no bound: it descends into values that share structure
// until the stack overflows, which ends the process.
// A comparison with a constant is left as it is: it is cheap, and rules are indexed by it.
func boundEquals(m *ast.Module) {
	eachEquals(m, ast.Equal.Ref(), func(e *ast.Expr, a, b *ast.Term) {
		if ast.IsConstant(a.Value) || ast.IsConstant(b.Value) {
			return
		}
		replaceOperator(e, bounded.Same)
		if e.Negated {
			negate(e)
		}
	})
}

// unboundEquals undoes boundEquals, for a compiler that only checks types: it compares
// those of both sides of `==`.
func unboundEquals(m *ast.Module) {
	eachEquals(m, bounded.Same.Ref(), func(e *ast.Expr, _, _ *ast.Term) { replaceOperator(e, ast.Equal) })
}

func eachEquals(m *ast.Module, operator ast.Ref, visit func(e *ast.Expr, a, b *ast.Term)) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() && len(e.Operands()) == 2 && e.Operator().Equal(operator) {
			visit(e, e.Operand(0), e.Operand(1))
		}
		return false
	})
}

// negate writes `not same(a, b)` as `[true | same(a, b)] = []`: an operand that is undefined
// makes `not a == b` true, and a negated call of a built-in undefined.
func negate(e *ast.Expr) {
	inner := ast.NewExpr(e.Terms)
	inner.Location = e.Location
	found := ast.ArrayComprehensionTerm(ast.BooleanTerm(true), ast.NewBody(inner))
	none := ast.ArrayTerm()
	operator := ast.NewTerm(ast.Equality.Ref())
	for _, t := range []*ast.Term{found, none, operator} {
		t.Location = e.Location
	}
	e.Negated, e.Terms = false, []*ast.Term{operator, found, none}
}

func replaceOperator(e *ast.Expr, by *ast.Builtin) {
	operator := ast.NewTerm(by.Ref())
	operator.Location = e.OperatorTerm().Location
	e.SetOperator(operator)
}
