package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ParamReads are the params that strategies and guards read, directly or through
// other rules.
type ParamReads struct {
	// Any reports whether a rule reads the params as a whole or by a computed name, so
	// that it may read all of them.
	Any bool
	// Names are the params that are read by name, sorted.
	Names []string
	// Defaults are the params that are read with a literal default, sorted by path
	// and reader.
	Defaults []ParamDefault
}

// ParamDefault is the default that a rule uses for a param that is not set. The param
// should have the same type.
type ParamDefault struct {
	// By is a strategy, or "guard NAME".
	By string
	// Path is the path of the param below input.params.
	Path []string
	// Type is the type of the default in JSON Schema: number, string, boolean, array or
	// object; null if the rule accepts any.
	Type string
	// Literal is the default in Rego.
	Literal string
}

// Params returns the params that the strategies read, and the guards that bind the agent,
// taken together. Unknown strategies read nothing.
func (r *Revision) Params(strategies []string, of Bound) ParamReads {
	var out ParamReads
	names := map[string]bool{}
	add := func(by string, p *params) {
		out.Any = out.Any || p.any
		maps.Copy(names, p.names)
		for _, d := range p.defaults {
			d.By = by
			out.Defaults = append(out.Defaults, d)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(strategies))) {
		if s := r.strategies[name]; s != nil {
			add(name, &s.reads.params)
		}
	}
	guards := map[string]*params{}
	for _, g := range r.guardRulesFor(of) {
		if guards[g.guard] == nil {
			guards[g.guard] = &params{}
		}
		guards[g.guard].merge(g.params)
	}
	for name, p := range guards {
		add("guard "+name, p)
	}
	out.Names = slices.Sorted(maps.Keys(names))
	slices.SortFunc(out.Defaults, func(a, b ParamDefault) int {
		return cmp.Or(slices.Compare(a.Path, b.Path), strings.Compare(a.By, b.By), strings.Compare(a.Type, b.Type))
	})
	return out
}

// params are the params that a rule reads. The zero value is none.
type params struct {
	any      bool
	names    map[string]bool
	defaults map[string]ParamDefault // by path and type
}

func (p *params) merge(o *params) {
	p.any = p.any || o.any
	for name := range o.names {
		p.addName(name)
	}
	for _, d := range o.defaults {
		p.addDefault(d)
	}
}

func (p *params) addName(addName string) {
	if p.names == nil {
		p.names = map[string]bool{}
	}
	p.names[addName] = true
}

// addDefault adds a default. Of several for one path and type it keeps the smallest
// literal, so that the result does not depend on the order.
func (p *params) addDefault(d ParamDefault) {
	if p.defaults == nil {
		p.defaults = map[string]ParamDefault{}
	}
	key := strings.Join(d.Path, "\x00") + "\x00\x00" + d.Type
	if known, ok := p.defaults[key]; !ok || d.Literal < known.Literal {
		p.defaults[key] = d
	}
}

// addRef adds a reference to input.params or below.
func (p *params) addRef(ref ast.Ref) {
	if len(ref) > 2 {
		if name, ok := ref[2].Value.(ast.String); ok {
			p.addName(string(name))
			return
		}
	}
	p.any = true
}

// addWithDefault adds the default of an object.get that reads ref.
func (p *params) addWithDefault(ref ast.Ref, literal *ast.Term) {
	if len(ref) < 3 || ref[1].Value.Compare(ast.String("params")) != 0 || literal == nil {
		return
	}
	d := ParamDefault{Type: jsonType(literal.Value)}
	if d.Type == "" {
		return
	}
	for _, t := range ref[2:] {
		key, ok := t.Value.(ast.String)
		if !ok {
			return
		}
		d.Path = append(d.Path, string(key))
	}
	d.Literal = literal.String()
	p.addDefault(d)
}

// jsonType returns the JSON type of a literal, or "" for a set or an expression.
func jsonType(v ast.Value) string {
	switch v.(type) {
	case ast.Number:
		return "number"
	case ast.String:
		return "string"
	case ast.Boolean:
		return "boolean"
	case ast.Null:
		return "null"
	case *ast.Array:
		return "array"
	case ast.Object:
		return "object"
	}
	return ""
}
