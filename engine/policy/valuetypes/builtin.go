package valuetypes

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// builtin infers a call of a built-in function by its signature. An argument of a type that
// the function does not take is a finding: the call is an error then, and has no value.
func (c *checker) builtin(f *frame, e *ast.Expr, name string) {
	operands := e.Operands()
	args := make([]*Type, len(operands))
	b := ast.BuiltinMap[name]
	if b == nil {
		for _, o := range operands {
			c.bindPattern(f, o, unknown)
		}
		return
	}
	takes := b.Decl.FuncArgs().Args
	arity := min(len(takes), len(operands))
	for i, o := range operands[:arity] {
		args[i] = c.term(f, o)
	}
	result := kindType(b.Decl.Result())
	switch {
	case name == ast.ObjectGet.Name && arity == 3:
		result = c.objectGet(f, e, operands, args)
	case (name == ast.Max.Name || name == ast.Min.Name) && arity == 1:
		if args[0].kinds&^(arrayKind|setKind) == 0 && args[0].judged() {
			result = orUnknown(args[0].elem)
		}
	}
	for i, arg := range args[:arity] {
		want := kindType(takes[i]).kinds
		if !arg.judged() {
			c.skip(e.Location)
		} else if arg.kinds&want == 0 && want != 0 {
			c.report(f, e.Location, Finding{kind: "argument"}, fmt.Sprintf("%s has no value: %s takes %s, and %s is %s", exprText(e), operatorText(b), want, f.text(c, operands[i]), arg.kinds),
				argumentFix(arg, f.text(c, operands[i]), want))
		}
	}
	if arity < len(operands) {
		c.output(f, e, operands[arity], result)
	}
}

func operatorText(b *ast.Builtin) string {
	if b.Infix != "" {
		return b.Infix
	}
	return b.Name
}

// kindType is a Type for one of OPA's types. It keeps the kinds and nothing else.
func kindType(t types.Type) *Type {
	switch t := t.(type) {
	case *types.NamedType:
		return kindType(t.Type)
	case types.Null:
		return nullType
	case types.Boolean:
		return boolType
	case types.Number:
		return numberType
	case types.String:
		return textType
	case *types.Array:
		return collectionOf(arrayKind, unknown)
	case *types.Set:
		return collectionOf(setKind, unknown)
	case *types.Object:
		return objectOf(unknown, unknown)
	case types.Any:
		if len(t) == 0 {
			return unknown
		}
		out := &Type{elem: unknown, rest: unknown, keys: unknown}
		for _, one := range t {
			out.kinds |= kindType(one).kinds
		}
		if out.kinds == allKinds {
			return unknown
		}
		return out
	}
	return unknown
}

// objectGet is the type of object.get(of, path, default). A key that can't be there is a
// finding, unless its name is one that the manifest chooses: then it is the default.
func (c *checker) objectGet(f *frame, e *ast.Expr, operands []*ast.Term, args []*Type) *Type {
	var path []*ast.Term
	if list, ok := operands[1].Value.(*ast.Array); ok {
		list.Foreach(func(t *ast.Term) { path = append(path, t) })
	} else {
		path = []*ast.Term{operands[1]}
	}
	of, where := args[0], f.text(c, operands[0])
	if of.kinds&objectKind == 0 && len(path) == 1 {
		return unknown
	}
	certain := of.named
	for _, key := range path {
		at, chosen := c.term(f, key), of.named || of.setting
		certain = certain && chosen
		if len(at.texts) != 1 || at.kinds != textKind {
			if _, ok := key.Value.(ast.Number); !ok || of.kinds&arrayKind == 0 {
				return unknown
			}
			of, where = orUnknown(of.elem), where+"["+key.String()+"]"
			continue
		}
		next := c.field(of, ast.String(at.texts[0]))
		switch {
		case next == nil && chosen:
			return absentDefault(args[2])
		case next == nil:
			c.alwaysDefault(f, e, where, ast.String(at.texts[0]), of)
			return unknown
		}
		where = fieldText(where, at.texts[0])
		of = next
	}
	switch {
	case of.setting && of.kinds&args[2].kinds == 0:
		return unknown // a param of another type than its default is a mistake of the manifest
	case certain:
		return of // it is always there
	}
	return c.join(of, args[2])
}

// absentDefault is the type of a default that takes the place of what this agent does not
// have. One that stands for "none" says nothing: the rule tests for it.
func absentDefault(t *Type) *Type {
	if t.kinds != numberKind && (t.kinds != textKind || len(t.texts) == 1 && t.texts[0] == "") {
		return unknown
	}
	return &Type{kinds: t.kinds, setting: true}
}
