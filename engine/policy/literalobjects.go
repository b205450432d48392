package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// ObjectReference is a place where a strategy proposes to write an object whose kind is a
// literal.
type ObjectReference struct {
	Primitive        string
	APIVersion, Kind string
	File             string
	Line             int
}

// Objects returns the objects that a strategy's rules name as literals in with.object.
func (r *Revision) Objects(strategy string) []ObjectReference {
	s := r.strategies[strategy]
	if s == nil {
		return nil
	}
	var out []ObjectReference
	for _, rule := range s.rules {
		proposal, literal, ok := proposalObject(rule)
		if !ok {
			continue
		}
		// at follows keys through literals, and variables that are assigned one.
		at := func(keys ...string) *ast.Term {
			t := ast.NewTerm(proposal)
			for _, key := range keys {
				object, is := literal(t).Value.(ast.Object)
				if !is {
					return nil
				}
				if t = object.Get(ast.InternedTerm(key)); t == nil {
					return nil
				}
			}
			return literal(t)
		}
		text := func(keys ...string) string {
			if t := at(keys...); t != nil {
				if s, is := t.Value.(ast.String); is {
					return string(s)
				}
			}
			return ""
		}
		kind := at("with", "object", "kind")
		if kind == nil || text("with", "object", "kind") == "" {
			continue
		}
		place := locationOf(kind, rule)
		out = append(out, ObjectReference{text("primitive"), text("with", "object", "apiVersion"), text("with", "object", "kind"), place.File, place.Row})
	}
	return out
}
