package valuetypes

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// comparisons are the built-in functions that compare values, with how many they take.
var comparisons = map[string]int{
	bounded.Same.Name: 2, ast.Equal.Name: 2, ast.NotEqual.Name: 2,
	ast.GreaterThan.Name: 2, ast.GreaterThanEq.Name: 2, ast.LessThan.Name: 2, ast.LessThanEq.Name: 2,
	ast.Member.Name: 2, ast.MemberWithKey.Name: 3,
}

func (c *checker) compare(f *frame, e *ast.Expr, name string, operands []*ast.Term) {
	switch name {
	case ast.Member.Name, ast.MemberWithKey.Name:
		c.judgeMember(f, e, operands)
	case ast.GreaterThan.Name, ast.GreaterThanEq.Name:
		c.judgeOrder(f, e, operands[0], operands[1], true)
	case ast.LessThan.Name, ast.LessThanEq.Name:
		c.judgeOrder(f, e, operands[0], operands[1], false)
	default:
		c.judgeEquality(f, e, operands[0], operands[1], name != ast.NotEqual.Name)
	}
}

// judgeOrder judges a comparison of two values in Rego's order, which is over all types. It
// is by < or <=, or by > or >= if greater is set.
func (c *checker) judgeOrder(f *frame, e *ast.Expr, a, b *ast.Term, greater bool) {
	left, right := c.term(f, a), c.term(f, b)
	if !left.judged() || !right.judged() {
		c.skip(e.Location)
		return
	}
	if left.kinds&right.kinds != 0 {
		return
	}
	found, verdict, reason := Finding{kind: "order"}, "false", ""
	switch {
	case below(left.kinds, right.kinds):
		found.Outcome, reason = AlwaysTrue, fmt.Sprintf("%s is below every %s", left.kinds, article(right.kinds))
		if greater {
			found.Outcome = AlwaysFalse
		}
	case below(right.kinds, left.kinds):
		found.Outcome, reason = AlwaysFalse, fmt.Sprintf("%s is above every %s", left.kinds, article(right.kinds))
		if greater {
			found.Outcome = AlwaysTrue
		}
	default: // it depends on which of its types a side has
		found.Outcome = Varying
		c.report(f, e.Location, found, fmt.Sprintf("%s compares %s with %s, which have an order by their types only", exprText(e), left.kinds, right.kinds), c.comparisonFix(f, a, b, left, right))
		return
	}
	if found.Outcome == AlwaysTrue {
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
	n := len(operands)
	member, all := operands[n-2], operands[n-1]
	of := c.term(f, all)
	t := c.term(f, member)
	_, values := c.each(of)
	if values == nil {
		c.report(f, e.Location, Finding{kind: "member", Outcome: AlwaysFalse}, fmt.Sprintf("%s is always false: %s is %s, which has no elements", exprText(e), f.text(c, all), of.kinds), "compare with ==, or name an array, a set or an object")
		return
	}
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
		c.report(f, e.Location, Finding{kind: "member " + string(text), Outcome: Varying}, fmt.Sprintf("%s is never %s: it is one of %s", f.text(c, member), word, strings.Join(t.texts, ", ")), enumFix(t.texts, []string{string(text)}))
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
