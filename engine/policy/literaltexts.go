package policy

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// PrimitiveReference is a place where a strategy names a primitive.
type PrimitiveReference struct {
	Primitive string
	File      string
	Line      int
}

// MarkReference is a place where a strategy sets a mark.
type MarkReference struct {
	Mark string
	File string
	Line int
}

// Primitives returns the primitives that a strategy's rules name as literals.
func (r *Revision) Primitives(strategy string) []PrimitiveReference {
	var out []PrimitiveReference
	r.proposalTexts(strategy, "primitive", func(name string, place *ast.Location) {
		out = append(out, PrimitiveReference{name, place.File, place.Row})
	})
	return out
}

// Marks returns the marks that a strategy's rules name as literals.
func (r *Revision) Marks(strategy string) []MarkReference {
	var out []MarkReference
	r.proposalTexts(strategy, "marks", func(name string, place *ast.Location) {
		out = append(out, MarkReference{name, place.File, place.Row})
	})
	return out
}

// proposalTexts calls take with each string literal that the strategy's
// proposals hold under a key, directly or in a list.
func (r *Revision) proposalTexts(strategy, key string, take func(text string, place *ast.Location)) {
	r.eachValue(strategy, key, func(t *ast.Term, rule *ast.Rule) {
		if text, is := t.Value.(ast.String); is {
			take(string(text), locationOf(t, rule))
		}
	})
}

// eachValue calls visit with each value that the strategy's proposals hold under a key,
// directly or in a list. It returns false if a proposal is not known.
func (r *Revision) eachValue(strategy, key string, visit func(t *ast.Term, rule *ast.Rule)) bool {
	s := r.strategies[strategy]
	if s == nil {
		return false
	}
	complete := true
	for _, rule := range s.rules {
		proposal, ok := r.proposal(rule)
		if !ok {
			complete = false
			continue
		}
		value := field(proposal, ast.InternedTerm(key))
		if value == nil {
			complete = complete && !isOpen(proposal.Value.(ast.Object))
			continue
		}
		if list, is := value.Value.(*ast.Array); is {
			list.Foreach(func(t *ast.Term) { visit(t, rule) })
		} else {
			visit(value, rule)
		}
	}
	return complete
}

// IsLiteral reports whether all values that a strategy's proposals hold under a
// key are literals, so that Primitives or Marks is complete.
func (r *Revision) IsLiteral(strategy, key string) bool {
	literal := true
	complete := r.eachValue(strategy, key, func(t *ast.Term, _ *ast.Rule) {
		if _, is := t.Value.(ast.String); !is {
			literal = false
		}
	})
	return complete && literal
}

// Signals returns the names of the signals that the strategies read, and the guards that
// bind the agent, sorted. all reports whether a rule reads one by a computed name.
func (r *Revision) Signals(strategies []string, of Bound) (names []string, all bool) {
	reads := r.Reads(strategies)
	names, all = slices.Collect(maps.Keys(reads.Signals)), reads.AllSignals
	for _, g := range r.guardRulesFor(of) {
		names, all = append(names, g.signals...), all || g.all
	}
	slices.Sort(names)
	return slices.Compact(names), all
}
