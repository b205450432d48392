package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// boundEquals replaces `a == b` by a call of bounded.Same. OPA compiles `==` to
// unification, which has no limit: on values that share structure it recurses
// until the stack overflows and the process dies. A comparison with a constant
// stays, because it is cheap and OPA indexes rules by it.
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

// unboundEquals reverts boundEquals for a compiler that only checks types: for
// `==` it compares the types of both sides.
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

// negate rewrites `not same(a, b)` to `[true | same(a, b)] = []`. With an
// undefined operand, `not a == b` is true, but a negated call of a built-in is
// undefined.
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
