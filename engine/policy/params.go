package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ParamReads is what the text of strategies and of the guards tells of the params
// that they read, themselves or through what they call.
type ParamReads struct {
	// Any says that some rule reads the params as a whole or by a name that it
	// computes, so that nobody can tell which it does not read.
	Any bool
	// Names are the params that are read by name, sorted.
	Names []string
	// Defaults are the params that are read with a literal in place of one that is not
	// set, by path, then by who reads them.
	Defaults []ParamDefault
}

// ParamDefault is what a rule takes where a param is not set. Its type is the one that
// the rule means the param to have.
type ParamDefault struct {
	// By is a strategy, or "guard NAME".
	By string
	// Path is where the param is, below input.params.
	Path []string
	// Type is the default's, as JSON Schema calls it: number, string, boolean, array,
	// object; or null, where the rule takes any.
	Type string
	// Literal is the default as Rego writes it.
	Literal string
}

// Params says which params the strategies and all guards read, between them. Unknown
// strategies read nothing.
func (r *Revision) Params(strategies []string) ParamReads {
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
	for name, p := range r.guardParams {
		add("guard "+name, p)
	}
	out.Names = slices.Sorted(maps.Keys(names))
	slices.SortFunc(out.Defaults, func(a, b ParamDefault) int {
		return cmp.Or(slices.Compare(a.Path, b.Path), strings.Compare(a.By, b.By), strings.Compare(a.Type, b.Type))
	})
	return out
}

// params is the part of input.params that a rule can reach. Its zero value is none.
type params struct {
	any      bool
	names    map[string]bool
	defaults map[string]ParamDefault // by path and type
}

func (p *params) add(o *params) {
	p.any = p.any || o.any
	for name := range o.names {
		p.name(name)
	}
	for _, d := range o.defaults {
		p.fallback(d)
	}
}

func (p *params) name(name string) {
	if p.names == nil {
		p.names = map[string]bool{}
	}
	p.names[name] = true
}

// fallback notes a default. Of several for one path and type the least stays, so that
// the same text is told of the same way each time.
func (p *params) fallback(d ParamDefault) {
	if p.defaults == nil {
		p.defaults = map[string]ParamDefault{}
	}
	key := strings.Join(d.Path, "\x00") + "\x00\x00" + d.Type
	if known, ok := p.defaults[key]; !ok || d.Literal < known.Literal {
		p.defaults[key] = d
	}
}

// read notes a reference to input.params or below.
func (p *params) read(ref ast.Ref) {
	if len(ref) > 2 {
		if name, ok := ref[2].Value.(ast.String); ok {
			p.name(string(name))
			return
		}
	}
	p.any = true
}

// readOr notes that object.get reads ref, and takes a literal where it is not there.
func (p *params) readOr(ref ast.Ref, literal *ast.Term) {
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
	p.fallback(d)
}

// jsonType is the type of a literal, "" of what is none in JSON.
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
