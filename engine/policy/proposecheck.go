package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// checkPropose checks one `propose` rule: its form, that its `because` is a
// literal, and that `because` names every signal that the rule reads.
func checkPropose(rule *ast.Rule, read *reads) mistake.Mistakes {
	if !isSetRule(rule) {
		return mistake.Mistakes{at(rule.Location, "propose must be a set of proposals", "write it as `propose contains proposal if {...}`")}
	}
	because, wrong := findBecause(rule)
	if wrong != nil {
		return mistake.Mistakes{*wrong}
	}
	named := map[string]bool{}
	var out mistake.Mistakes
	array, ok := because.Value.(*ast.Array)
	if !ok {
		return mistake.Mistakes{at(locationOf(because, rule), "because must be a literal array of signal names", "write the names out, as [\"load\", \"ready:empty\"], or [] if it rests on none")}
	}
	array.Foreach(func(t *ast.Term) {
		s, ok := t.Value.(ast.String)
		if !ok {
			out = append(out, at(locationOf(t, rule), fmt.Sprintf("because holds %s, not a signal's name", clip(t.String())), "write the names out, as [\"load\", \"ready:empty\"]"))
			return
		}
		e, err := parseEvidence(string(s))
		if err != nil {
			out = append(out, at(locationOf(t, rule), "because: "+err.Error(), ""))
			return
		}
		named[e.Signal] = true
	})
	if read.anySignal != nil {
		out = append(out, at(rule.Location,
			fmt.Sprintf("propose reads signals whose names the text doesn't tell (%s:%d)", read.anySignal.File, read.anySignal.Row),
			"read each signal by its name, as input.signals.load.value, and name it in because"))
	}
	for _, name := range slices.Sorted(maps.Keys(read.signals)) {
		if !named[name] {
			where := read.signals[name]
			out = append(out, at(rule.Location,
				fmt.Sprintf("propose reads signal %q (%s:%d), which its because doesn't name", name, where.File, where.Row),
				fmt.Sprintf("add %q to because, or %q if it means to act on its absence", name, name+":empty")))
		}
	}
	return out
}

func locationOf(t *ast.Term, rule *ast.Rule) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return rule.Location
}

// proposalObject finds the object that a rule produces, written in the head or
// assigned to a variable in the body. literal resolves such variables.
func proposalObject(rule *ast.Rule) (proposal ast.Object, literal func(*ast.Term) *ast.Term, ok bool) {
	literals := map[ast.Var]*ast.Term{}
	for _, e := range rule.Body {
		if v, term, ok := definition(e); ok && literals[v] == nil {
			literals[v] = term
		}
	}
	literal = func(t *ast.Term) *ast.Term {
		for range maxDepth {
			v, ok := t.Value.(ast.Var)
			if !ok || literals[v] == nil {
				break
			}
			t = literals[v]
		}
		return t
	}
	if !isSetRule(rule) {
		return nil, literal, false // Draft keeps invalid rules, to report on the others
	}
	proposal, ok = literal(rule.Head.Key).Value.(ast.Object)
	return proposal, literal, ok
}

// findBecause finds the value of `because` in the object that a rule produces.
func findBecause(rule *ast.Rule) (*ast.Term, *mistake.Mistake) {
	proposal, literal, ok := proposalObject(rule)
	if !ok {
		m := at(rule.Location, "propose must give an object written in this rule", `write it as {"primitive": ..., "with": ..., "reason": ..., "because": [...]}, in the head or assigned to a variable in the body`)
		return nil, &m
	}
	because := proposal.Get(ast.InternedTerm("because"))
	if because == nil {
		m := at(rule.Location, "the proposal has no because", `add "because" with the signals that it relies on, [] if it rests on none`)
		return nil, &m
	}
	return literal(because), nil
}

// parseEvidence parses "load" or "load:empty".
func parseEvidence(s string) (engine.Evidence, error) {
	name, state, has := strings.Cut(s, ":")
	if name == "" {
		return engine.Evidence{}, fmt.Errorf("%q names no signal", s)
	}
	if !has {
		return engine.Evidence{Signal: name, State: engine.OK}, nil
	}
	if !slices.Contains(engine.States, engine.State(state)) {
		return engine.Evidence{}, fmt.Errorf("%q: there is no state %q; the states are %s", s, state, stateNames())
	}
	return engine.Evidence{Signal: name, State: engine.State(state)}, nil
}

func stateNames() string {
	names := make([]string, len(engine.States))
	for i, s := range engine.States {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}
