package bounded

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// comparable returns an error for two values that take too long to compare. A
// comparison takes as long as the smaller one is large.
func comparable(a, b ast.Value) error {
	switch a.(type) {
	case ast.Number, ast.String, ast.Boolean, ast.Null:
		return nil
	}
	switch b.(type) {
	case ast.Number, ast.String, ast.Boolean, ast.Null:
		return nil
	}
	if Within(a, MaxWritten) || Within(b, MaxWritten) {
		return nil
	}
	return refuse("both values are larger than %d MiB when they are written out, parts that they hold several times counted each time; compare the parts that matter", MaxWritten>>20)
}

// ordered implements <, <=, > and >=. These and == are the most frequent built-ins, so
// they are reimplemented here to save a call of the stock function.
func ordered(holds func(int) bool) func(string, topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(name string, _ topdown.BuiltinFunc) topdown.BuiltinFunc {
		return func(bctx topdown.BuiltinContext, args []*ast.Term, iter func(*ast.Term) error) error {
			if err := comparable(args[0].Value, args[1].Value); err != nil {
				return halt(name, bctx.Location, err)
			}
			return iter(ast.InternedTerm(holds(args[0].Value.Compare(args[1].Value))))
		}
	}
}

// Same is `==` as a bounded built-in. OPA compiles `==` to unification, which has no
// limit. Install registers it.
var Same = &ast.Builtin{
	Name: "internal.same",
	Decl: types.NewFunction(types.Args(types.A, types.A), types.B),
}

// equality implements == and !=.
func equality(want bool) func(string, topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(name string, _ topdown.BuiltinFunc) topdown.BuiltinFunc {
		return func(bctx topdown.BuiltinContext, args []*ast.Term, iter func(*ast.Term) error) error {
			if err := comparable(args[0].Value, args[1].Value); err != nil {
				return halt(name, bctx.Location, err)
			}
			return iter(ast.InternedTerm(args[0].Equal(args[1]) == want))
		}
	}
}

// needle bounds a value that is looked up in a collection, and so compared with its
// elements.
func needle(operands ...int) check {
	return func(args []*ast.Term) error {
		for _, i := range operands {
			if !Within(args[i].Value, MaxText) {
				return refuse("operand %d is larger than %d MiB when it is written out; look a smaller value up", i+1, MaxText>>20)
			}
		}
		return nil
	}
}

// member bounds `in`, which compares the value with each element of an array or object.
func member(value, collection int) check {
	one := needle(value)
	return func(args []*ast.Term) error {
		v := args[value].Value
		if _, scalar := scalarSize(v); scalar {
			return nil
		}
		if err := one(args); err != nil {
			return err
		}
		size, _ := Written(v, MaxText)
		if n := int64(length(args[collection])); size.Bytes*n > MaxWork*4 {
			return refuse("a value of %d bytes is looked for among %d; look a smaller value up, or in a smaller collection", size.Bytes, n)
		}
		return nil
	}
}
