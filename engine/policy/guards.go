package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// guardRule is what must be known of one `deny` rule before it is asked: a
// signal that it reads and that is not ok is a denial already.
type guardRule struct {
	guard   string
	signals []string
	all     bool
	// states are those that its METADATA says it can do with.
	states map[engine.State]bool
	// when are conditions at the top of its body that read no signal. Where one of
	// them does not hold, the rule says nothing and reads nothing.
	when []condition
}

// condition compares a part of the input with constants.
type condition struct {
	path   ast.Ref // below input
	values []*ast.Term
	not    bool
}

func (c condition) holds(input ast.Value) bool {
	v, err := input.Find(c.path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.values, func(t *ast.Term) bool { return t.Value.Compare(v) == 0 }) != c.not
}

// newGuardRule judges one `deny` rule.
func newGuardRule(guard string, rule *ast.Rule, read *reads, notes ast.AnnotationsRefSet) (guardRule, mistake.Mistakes) {
	g := guardRule{guard: guard, signals: slices.Sorted(maps.Keys(read.signals)), all: read.all != nil, states: map[engine.State]bool{}}
	if !isSet(rule) {
		return g, mistake.Mistakes{at(rule.Location, "deny must be a set of reasons", "write it as `deny contains reason if {...}`")}
	}
	var out mistake.Mistakes
	for _, note := range notes {
		if note.Annotations == nil || note.Annotations.Custom["states"] == nil {
			continue
		}
		list, _ := note.Annotations.Custom["states"].([]any)
		if len(list) == 0 {
			out = append(out, at(note.Annotations.Location, "states in METADATA must be a list", "write it as `custom: {states: [empty, stale]}`"))
		}
		for _, v := range list {
			s, _ := v.(string)
			if !slices.Contains(engine.States, engine.State(s)) {
				out = append(out, at(note.Annotations.Location, fmt.Sprintf("METADATA names state %v", v), "the states are "+stateNames()))
			}
			g.states[engine.State(s)] = true
		}
	}
	locals := map[ast.Var]*ast.Term{} // OPA takes a reference out of a call first
	for _, e := range rule.Body {
		if v, term, ok := definition(e); ok && locals[v] == nil {
			locals[v] = term
		}
	}
	for _, e := range rule.Body {
		if c, ok := conditionOf(e, locals); ok {
			g.when = append(g.when, c)
		}
	}
	return g, out
}

// conditionOf reads `input.a.b == constant`, `!=` and `in {constants}`.
func conditionOf(e *ast.Expr, locals map[ast.Var]*ast.Term) (condition, bool) {
	if !e.IsCall() || e.Negated || len(e.With) > 0 || len(e.Operands()) != 2 {
		return condition{}, false
	}
	named := func(t *ast.Term) *ast.Term {
		if v, ok := local(t); ok && locals[v] != nil {
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
		c.values, c.not = []*ast.Term{b}, true
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

// unready are the denials that a rule's signals call for, before it is asked.
func (g *guardRule) unready(doc *engine.Document, input ast.Value) []engine.Denial {
	names := g.signals
	if g.all {
		names = doc.Names
	}
	if len(names) == 0 {
		return nil
	}
	for _, c := range g.when {
		if !c.holds(input) {
			return nil
		}
	}
	var out []engine.Denial
	for _, name := range names {
		state := engine.Empty // a signal that the agent doesn't sense was never measured
		if i := slices.Index(doc.Names, name); i >= 0 {
			state = doc.Signals[i].State
		}
		if state != engine.OK && !g.states[state] {
			out = append(out, engine.Denial{Guard: g.guard, Reason: fmt.Sprintf("signal %s is %s", name, state)})
		}
	}
	return out
}
