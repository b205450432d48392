package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// denyRule and clampRule are the rules of a guard that are evaluated.
const (
	denyRule  = "deny"
	clampRule = "clamp"
)

// guardRule is the static description of one `deny` or `clamp` rule. If a signal that
// the rule reads is not ok, that alone is a denial.
type guardRule struct {
	guard   string
	rule    *ast.Rule
	place   string // its location, as ruleLocation returns it
	scope   scope
	params  *params
	signals []string
	all     bool
	// tolerated are the states that its METADATA allows.
	tolerated map[engine.State]bool
	// conditions are those at the top of its body that read no signal. If one of
	// them does not hold, the rule does not apply and its signals don't matter.
	conditions []condition
}

// condition is a comparison of a part of the input with constants.
type condition struct {
	path    ast.Ref // below input
	values  []*ast.Term
	negated bool
}

func (c condition) holds(input ast.Value) bool {
	v, err := input.Find(c.path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.values, func(t *ast.Term) bool { return t.Value.Compare(v) == 0 }) != c.negated
}

// newGuardRule checks and describes one `deny` or `clamp` rule.
func newGuardRule(guard string, rule *ast.Rule, read *reads, annotations ast.AnnotationsRefSet) (guardRule, mistake.Mistakes) {
	g := guardRule{
		guard: guard, rule: rule, place: ruleLocation(rule), scope: scopeOf(annotations), params: &read.params,
		signals: slices.Sorted(maps.Keys(read.signals)), all: read.anySignal != nil, tolerated: map[engine.State]bool{},
	}
	switch {
	case isSetRule(rule) && ruleName(rule) == denyRule:
	case isSetRule(rule):
		if wrong := checkClamp(rule); len(wrong) > 0 {
			return g, wrong
		}
	case ruleName(rule) == denyRule:
		return g, mistake.Mistakes{at(rule.Location, "deny must be a set of reasons", "write it as `deny contains reason if {...}`")}
	default:
		return g, mistake.Mistakes{at(rule.Location, "clamp must be a set of clamps", clampForm+", or rename it if it is a helper")}
	}
	var out mistake.Mistakes
	for _, annotation := range annotations {
		if annotation.Annotations == nil || annotation.Annotations.Custom["states"] == nil {
			continue
		}
		list, _ := annotation.Annotations.Custom["states"].([]any)
		if len(list) == 0 {
			out = append(out, at(annotation.Annotations.Location, "states in METADATA must be a list", "write it as `custom: {states: [empty, stale]}`"))
		}
		for _, v := range list {
			s, _ := v.(string)
			if !slices.Contains(engine.States, engine.State(s)) {
				out = append(out, at(annotation.Annotations.Location, fmt.Sprintf("METADATA names state %v", v), "the states are "+stateNames()))
			}
			g.tolerated[engine.State(s)] = true
		}
	}
	locals := map[ast.Var]*ast.Term{} // OPA's compiler moves references out of calls
	for _, e := range rule.Body {
		if v, term, ok := definition(e); ok && locals[v] == nil {
			locals[v] = term
		}
	}
	for _, e := range rule.Body {
		if c, ok := conditionOf(e, locals); ok {
			g.conditions = append(g.conditions, c)
		}
	}
	return g, out
}

// conditionOf recognizes `input.a.b == constant`, `!=` and `in {constants}`.
func conditionOf(e *ast.Expr, locals map[ast.Var]*ast.Term) (condition, bool) {
	if !e.IsCall() || e.Negated || len(e.With) > 0 || len(e.Operands()) != 2 {
		return condition{}, false
	}
	named := func(t *ast.Term) *ast.Term {
		if v, ok := localVar(t); ok && locals[v] != nil {
			return locals[v]
		}
		return t
	}
	a, b := named(e.Operand(0)), named(e.Operand(1))
	var c condition
	switch op := e.Operator(); {
	case e.IsEquality(), op.Equal(ast.Equal.Ref()):
		if _, ok := a.Value.(ast.Ref); !ok {
			a, b = b, a
		}
		c.values = []*ast.Term{b}
	case op.Equal(ast.NotEqual.Ref()):
		if _, ok := a.Value.(ast.Ref); !ok {
			a, b = b, a
		}
		c.values, c.negated = []*ast.Term{b}, true
	case op.Equal(ast.Member.Ref()):
		switch coll := b.Value.(type) {
		case ast.Set:
			c.values = coll.Slice()
		case *ast.Array:
			coll.Foreach(func(t *ast.Term) { c.values = append(c.values, t) })
		}
	}
	ref, ok := a.Value.(ast.Ref)
	if !ok || !isInput(ref) || !ref.IsGround() || isSignal(ref) || len(c.values) == 0 {
		return condition{}, false
	}
	for _, v := range c.values {
		if !ast.IsConstant(v.Value) {
			return condition{}, false
		}
	}
	c.path = ref[1:]
	return c, true
}

func isSignal(ref ast.Ref) bool {
	return len(ref) < 2 || ref[1].Value.Compare(ast.String("signals")) == 0
}

// signalDenials returns a denial for each signal that the rule reads and whose
// state it does not tolerate.
func (g *guardRule) signalDenials(doc *engine.Document, input ast.Value) []engine.Denial {
	names := g.signals
	if g.all {
		names = doc.Names
	}
	if len(names) == 0 {
		return nil
	}
	for _, c := range g.conditions {
		if !c.holds(input) {
			return nil
		}
	}
	var out []engine.Denial
	for _, name := range names {
		state := engine.Empty // the agent has no such sensor
		if i := slices.Index(doc.Names, name); i >= 0 {
			state = doc.Signals[i].State
		}
		if state != engine.OK && !g.tolerated[state] {
			out = append(out, engine.Denial{Guard: g.guard, Reason: fmt.Sprintf("signal %s is %s", name, state)})
		}
	}
	return out
}
