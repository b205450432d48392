package valuetypes

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// order is a comparison by <, <=, > or >=.
type order struct {
	sign string
	// greater reports whether it is true for a left side above the right one.
	greater bool
}

var orders = map[string]*order{
	ast.GreaterThan.Name: {">", true}, ast.GreaterThanEq.Name: {">=", true}, ast.LessThan.Name: {"<", false}, ast.LessThanEq.Name: {"<=", false},
}

// judgeOrder judges a comparison of two values in Rego's order, which is over all types.
func (c *checker) judgeOrder(f *frame, e *ast.Expr, a, b *ast.Term, o *order) {
	left, right := c.term(f, a), c.term(f, b)
	if !left.judged() || !right.judged() {
		c.skip(e.Location)
		return
	}
	if left.kinds&right.kinds != 0 {
		return
	}
	found, verdict, reason := Finding{kind: "order"}, "", ""
	switch {
	case below(left.kinds, right.kinds):
		found.Outcome, reason = AlwaysTrue, fmt.Sprintf("%s is below every %s", left.kinds, article(right.kinds))
		if o.greater {
			found.Outcome = AlwaysFalse
		}
	case below(right.kinds, left.kinds):
		found.Outcome, reason = AlwaysFalse, fmt.Sprintf("%s is above every %s", left.kinds, article(right.kinds))
		if o.greater {
			found.Outcome = AlwaysTrue
		}
	default: // it depends on which of its types a side has
		c.report(f, e.Location, found, fmt.Sprintf("%s compares %s with %s, which have an order by their types only", exprText(e), left.kinds, right.kinds), c.comparisonFix(f, a, b, left, right))
		return
	}
	if verdict = "false"; found.Outcome == AlwaysTrue {
		verdict = "true"
	}
	c.report(f, e.Location, found, fmt.Sprintf("%s is always %s: %s", exprText(e), verdict, reason), c.comparisonFix(f, a, b, left, right))
}

// judgeEquality judges a == b, or a != b if equal is false.
func (c *checker) judgeEquality(f *frame, e *ast.Expr, a, b *ast.Term, equal bool) {
	left, right := c.term(f, a), c.term(f, b)
	if !left.judged() || !right.judged() {
		c.skip(e.Location)
		return
	}
	if left.setting || right.setting || isNull(a) || isNull(b) || overlap(left, right) {
		return
	}
	found, verdict := Finding{kind: "equality", Outcome: AlwaysFalse}, "false"
	if !equal {
		found.Outcome, verdict = AlwaysTrue, "true"
	}
	message := fmt.Sprintf("%s is always %s: ", exprText(e), verdict)
	if left.kinds&right.kinds != textKind {
		c.report(f, e.Location, found, fmt.Sprintf("%s%s is never %s", message, left.kinds, right.kinds), c.comparisonFix(f, a, b, left, right))
		return
	}
	if !left.enum || right.enum && len(right.texts) > len(left.texts) {
		a, left, right = b, right, left
	}
	c.report(f, e.Location, found, message+f.text(c, a)+" is one of "+strings.Join(left.texts, ", "), enumFix(left.texts, right.texts))
}

// judgeMember judges `x in xs` and `k, x in xs`.
func (c *checker) judgeMember(f *frame, e *ast.Expr, operands []*ast.Term) {
	n := 2
	if e.Operator().Equal(ast.MemberWithKey.Ref()) {
		n = 3
	}
	if len(operands) < n {
		return
	}
	member, all := operands[n-2], operands[n-1]
	of := c.term(f, all)
	_, values := c.elements(f, all, of)
	if len(operands) > n {
		f.bind(operands[n], boolType)
	}
	t := c.term(f, member)
	if n == 3 {
		c.term(f, operands[0])
	}
	if !t.judged() || !values.judged() {
		c.skip(e.Location)
		return
	}
	if t.setting || values.setting || isNull(member) {
		return
	}
	if !overlap(t, values) {
		found := Finding{kind: "member", Outcome: AlwaysFalse}
		message := exprText(e) + " is always false: "
		if t.kinds&values.kinds == textKind {
			owner, enum, other := member, t, values
			message += f.text(c, owner)
			if !t.enum {
				owner, enum, other = all, values, t
				message = exprText(e) + " is always false: an element of " + f.text(c, owner)
			}
			c.report(f, e.Location, found, message+" is one of "+strings.Join(enum.texts, ", "), enumFix(enum.texts, other.texts))
			return
		}
		c.report(f, e.Location, found, fmt.Sprintf("%s%s is never %s", message, t.kinds, values.kinds), "compare values of one type")
		return
	}
	c.strangers(f, e, member, t, all)
}

// strangers reports the words of a literal list that an enum does not have.
func (c *checker) strangers(f *frame, e *ast.Expr, member *ast.Term, t *Type, all *ast.Term) {
	if !t.enum || t.kinds != textKind {
		return
	}
	visit := func(word *ast.Term) {
		text, ok := word.Value.(ast.String)
		if !ok || overlap(t, literalText(string(text))) {
			return
		}
		c.report(f, e.Location, Finding{kind: "member " + string(text), Outcome: Undefined}, fmt.Sprintf("%s is never %s: it is one of %s", f.text(c, member), word, strings.Join(t.texts, ", ")), enumFix(t.texts, []string{string(text)}))
	}
	switch v := all.Value.(type) {
	case *ast.Array:
		v.Foreach(visit)
	case ast.Set:
		v.Foreach(visit)
	}
}

func isNull(t *ast.Term) bool {
	_, ok := t.Value.(ast.Null)
	return ok
}
