package valuetypes

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// term is the type of a term.
func (c *checker) term(f *frame, t *ast.Term) *Type {
	if c.steps++; c.exhausted() {
		return unknown
	}
	switch v := t.Value.(type) {
	case ast.Null:
		return nullType
	case ast.Boolean:
		return boolType
	case ast.Number:
		return numberType
	case ast.String:
		return literalText(string(v))
	case ast.Var:
		if v == ast.InputRootDocument.Value {
			return c.input
		}
		return orUnknown(f.types[v])
	case ast.Ref:
		return c.ref(f, t, v)
	case *ast.Array:
		elem := never
		v.Foreach(func(inner *ast.Term) { elem = c.join(elem, c.term(f, inner)) })
		return collectionOf(arrayKind, elem)
	case ast.Set:
		elem := never
		v.Foreach(func(inner *ast.Term) { elem = c.join(elem, c.term(f, inner)) })
		return collectionOf(setKind, elem)
	case ast.Object:
		return c.object(f, v)
	case *ast.ArrayComprehension:
		return collectionOf(arrayKind, c.inner(f, v.Body, v.Term))
	case *ast.SetComprehension:
		return collectionOf(setKind, c.inner(f, v.Body, v.Term))
	case *ast.ObjectComprehension:
		defer f.widen(len(f.narrowed))
		value := unknown
		if c.body(f, v.Body) {
			value = c.term(f, v.Value)
		}
		return objectOf(c.term(f, v.Key), value)
	}
	return unknown
}

// inner is the type of the values that a comprehension collects.
func (c *checker) inner(f *frame, body ast.Body, t *ast.Term) *Type {
	defer f.widen(len(f.narrowed))
	if !c.body(f, body) {
		return unknown
	}
	return c.term(f, t)
}

func (c *checker) object(f *frame, o ast.Object) *Type {
	out := &Type{kinds: objectKind, fields: map[string]*Type{}}
	o.Foreach(func(key, value *ast.Term) {
		t := c.term(f, value)
		if name, ok := key.Value.(ast.String); ok && len(out.fields) < maxFields {
			out.fields[string(name)] = t
			return
		}
		c.term(f, key)
		out.rest, out.keys = unknown, unknown
	})
	return out
}

// ref is the type of a reference. A key that no value has is a finding.
func (c *checker) ref(f *frame, t *ast.Term, ref ast.Ref) *Type {
	var of *Type
	from := 1
	if ref[0].Equal(ast.DefaultRootDocument) {
		of, from = c.data(ref)
	} else {
		of = c.term(f, ref[0])
	}
	for i := from; i < len(ref); i++ {
		of = c.step(f, t, ref, i, of)
	}
	if !of.judged() {
		c.skip(t.Location)
	}
	return of
}

// step is the type of ref[:i+1], where of is that of ref[:i].
func (c *checker) step(f *frame, t *ast.Term, ref ast.Ref, i int, of *Type) *Type {
	key := ref[i]
	switch v := key.Value.(type) {
	case ast.String, ast.Number, ast.Boolean, ast.Null:
		return c.keyed(f, t, ref, i, of, []ast.Value{v})
	case ast.Var:
		name, free := f.unbound(key)
		if !free {
			if bound := f.types[v]; bound != nil && bound.kinds == textKind && len(bound.texts) > 0 {
				var keys []ast.Value
				for _, text := range bound.texts {
					keys = append(keys, ast.String(text))
				}
				return c.keyed(f, t, ref, i, of, keys)
			}
		}
		keys, values := c.each(of)
		if values == nil {
			if !of.setting {
				c.noElements(f, t.Location, f.text(c, t), f.prefix(c, t, ref, i), of)
			}
			keys, values = unknown, unknown
		}
		if free {
			f.types[name] = keys
		}
		return values
	default:
		c.term(f, key)
		_, values := c.each(of)
		return orUnknown(values)
	}
}

// keyed is the type of ref[:i+1] where the key is one of keys.
func (c *checker) keyed(f *frame, t *ast.Term, ref ast.Ref, i int, of *Type, keys []ast.Value) *Type {
	var out *Type
	found := false
	for _, key := range keys {
		t := c.field(of, key)
		out, found = c.join(out, t), found || t != nil
	}
	if !found {
		if !of.setting {
			c.missing(f, t.Location, f.text(c, t), f.prefix(c, t, ref, i), keys[0], of)
		}
		return unknown
	}
	return orNever(out)
}

// data is the type of the rule or of the data that a reference to data begins with, and how
// many elements of the reference that takes.
func (c *checker) data(ref ast.Ref) (*Type, int) {
	node := c.Compiler.RuleTree
	for i, t := range ref {
		if i > 0 {
			if _, ok := t.Value.(ast.String); !ok {
				return unknown, len(ref)
			}
		}
		if node = node.Child(t.Value); node == nil {
			return c.base(ref)
		}
		if len(node.Values) == 0 {
			continue
		}
		if len(node.Children) > 0 {
			return unknown, len(ref)
		}
		out := never
		for _, rule := range node.Values {
			if len(rule.Head.Args) > 0 {
				return unknown, len(ref)
			}
			if !c.Ignore(rule.Module) {
				out = c.join(out, c.rule(rule))
			}
		}
		return out, i + 1
	}
	return unknown, len(ref)
}

// base is as data, for a value of the data files.
func (c *checker) base(ref ast.Ref) (*Type, int) {
	var path []string
	for _, t := range ref[1:] {
		key, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(key))
	}
	for n := len(path); n > 0; n-- {
		if v := c.Data(path[:n]); v != nil {
			return c.fromValue(v, 0), n + 1
		}
	}
	return unknown, len(ref)
}
