package policy

import "github.com/open-policy-agent/opa/v1/ast"

// Mention is a primitive that a strategy's text names, and where.
type Mention struct {
	Primitive string
	File      string
	Line      int
}

// Primitives are the primitives that a strategy's rules name in their text; those
// that it computes are not among them.
func (r *Revision) Primitives(strategy string) []Mention {
	s := r.strategies[strategy]
	if s == nil {
		return nil
	}
	var out []Mention
	for _, rule := range s.rules {
		proposal, literal, ok := proposalOf(rule)
		if !ok {
			continue
		}
		named := proposal.Get(ast.InternedTerm("primitive"))
		if named == nil {
			continue
		}
		if text, is := literal(named).Value.(ast.String); is {
			place := placed(named, rule)
			out = append(out, Mention{string(text), place.File, place.Row})
		}
	}
	return out
}
