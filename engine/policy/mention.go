package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Mention is a primitive that a strategy's text names, and where.
type Mention struct {
	Primitive string
	File      string
	Line      int
}

// MarkMention is a mark that a strategy's text sets, and where.
type MarkMention struct {
	Mark string
	File string
	Line int
}

// Primitives are the primitives that a strategy's rules name in their text; those
// that it computes are not among them.
func (r *Revision) Primitives(strategy string) []Mention {
	var out []Mention
	r.written(strategy, "primitive", func(name string, place *ast.Location) {
		out = append(out, Mention{name, place.File, place.Row})
	})
	return out
}

// Marks are the marks that a strategy's rules set by a name in their text; those that
// it computes are not among them.
func (r *Revision) Marks(strategy string) []MarkMention {
	var out []MarkMention
	r.written(strategy, "marks", func(name string, place *ast.Location) {
		out = append(out, MarkMention{name, place.File, place.Row})
	})
	return out
}

// written gives the texts that a strategy's proposals have under a key, also those in a
// list.
func (r *Revision) written(strategy, key string, take func(text string, place *ast.Location)) {
	s := r.strategies[strategy]
	if s == nil {
		return
	}
	for _, rule := range s.rules {
		proposal, literal, ok := proposalOf(rule)
		if !ok {
			continue
		}
		value := proposal.Get(ast.InternedTerm(key))
		if value == nil {
			continue
		}
		one := func(t *ast.Term) {
			if text, is := literal(t).Value.(ast.String); is {
				take(string(text), placed(t, rule))
			}
		}
		if list, is := literal(value).Value.(*ast.Array); is {
			list.Foreach(one)
		} else {
			one(value)
		}
	}
}

// Tells reports whether the text of a strategy tells all that its proposals have under a
// key: none of them computes it.
func (r *Revision) Tells(strategy, key string) bool {
	s := r.strategies[strategy]
	if s == nil {
		return false
	}
	for _, rule := range s.rules {
		proposal, literal, ok := proposalOf(rule)
		if !ok {
			return false
		}
		value := proposal.Get(ast.InternedTerm(key))
		if value == nil {
			continue
		}
		told := true
		one := func(t *ast.Term) {
			if _, is := literal(t).Value.(ast.String); !is {
				told = false
			}
		}
		if list, is := literal(value).Value.(*ast.Array); is {
			list.Foreach(one)
		} else {
			one(value)
		}
		if !told {
			return false
		}
	}
	return true
}

// Signals are the signals that the strategies and all guards read, sorted; all is where a
// rule reads one whose name the text does not tell.
func (r *Revision) Signals(strategies []string) (names []string, all bool) {
	reads := r.Reads(strategies)
	names, all = reads.Signals, reads.AllSignals
	for _, g := range r.guardRules {
		names, all = append(names, g.signals...), all || g.all
	}
	slices.Sort(names)
	return slices.Compact(names), all
}
