package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// known finds what the text of one rule tells about its terms. In the terms that it
// returns, a computed value is a variable whose name is the JSON type of the value, "" where
// the text does not tell. An object with a computed key has such a variable as a key.
type known struct {
	compiler *ast.Compiler
	file     string
	// defined and called are the local variables with a term, and with the result of a call.
	defined map[ast.Var]*ast.Term
	called  map[ast.Var][]*ast.Term
	// replaced are those variables whose expression has a `with`, which may replace what a rule gives.
	replaced map[ast.Var]bool
	inside   int // how many of them are being resolved
	depth    int
	// left is the number of terms that may still be visited: a few rules that refer to each
	// other can stand for a value of any size.
	left *int
}

// The bounds of the terms that are looked at, of one proposal and of all in a revision, where
// each proposal has leastKnown in any case. What is beyond counts as computed.
const (
	maxKnown    = 5_000
	maxKnownAll = 100_000
	leastKnown  = 500
)

func knownWithin(c *ast.Compiler, rule *ast.Rule, depth int, left *int) *known {
	k := &known{compiler: c, defined: map[ast.Var]*ast.Term{}, called: map[ast.Var][]*ast.Term{}, replaced: map[ast.Var]bool{}, depth: depth, left: left}
	if rule.Location != nil {
		k.file = rule.Location.File
	}
	for _, e := range rule.Body {
		if v, term, ok := definition(e); ok {
			if k.defined[v] == nil {
				k.defined[v], k.replaced[v] = term, len(e.With) > 0
			}
			continue
		}
		if len(e.With) > 0 {
			continue
		}
		if terms, ok := e.Terms.([]*ast.Term); ok && !e.Negated && len(terms) > 1 {
			if v, ok := localVar(terms[len(terms)-1]); ok && isResult(terms) {
				k.called[v] = terms[:len(terms)-1]
			}
		}
	}
	return k
}

// isResult reports whether the last term of a call of a built-in is its result, and no operand.
func isResult(terms []*ast.Term) bool {
	b := builtin(terms[0])
	return b != nil && len(terms)-1 == b.Decl.Arity()+1
}

func builtin(operator *ast.Term) *ast.Builtin {
	ref, ok := operator.Value.(ast.Ref)
	if !ok {
		return nil
	}
	return ast.BuiltinMap[ref.String()]
}

// computed reports whether a term of known stands for a computed value, and its type.
func computed(v ast.Value) (jsonType string, ok bool) {
	name, ok := v.(ast.Var)
	return string(name), ok
}

// hole returns the term for a computed value.
func hole(jsonType string, at *ast.Location) *ast.Term {
	return &ast.Term{Value: ast.Var(jsonType), Location: at}
}

// term returns a term with its computed parts replaced.
func (k *known) term(t *ast.Term) *ast.Term {
	k.depth++
	defer func() { k.depth-- }()
	if *k.left--; k.depth > maxDepth || *k.left < 0 {
		return hole("", t.Location)
	}
	switch v := t.Value.(type) {
	case ast.String, ast.Number, ast.Boolean, ast.Null:
		return t
	case ast.Var:
		if next := k.defined[v]; next != nil {
			if k.replaced[v] {
				k.inside++
				defer func() { k.inside-- }()
			}
			return k.term(next)
		}
		if call := k.called[v]; call != nil {
			return k.call(call, t.Location)
		}
	case ast.Ref:
		return k.ref(v, t.Location)
	case ast.Call:
		return k.call(v, t.Location)
	case *ast.ArrayComprehension, *ast.SetComprehension:
		return hole("array", t.Location)
	case *ast.ObjectComprehension:
		return hole("object", t.Location)
	case *ast.Array:
		items := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(item *ast.Term) { items = append(items, k.term(item)) })
		return &ast.Term{Value: ast.NewArray(items...), Location: t.Location}
	case ast.Set:
		for _, item := range v.Slice() {
			if !isKnown(k.term(item)) {
				return hole("array", t.Location) // which elements are equal is not known
			}
		}
		return t
	case ast.Object:
		out := ast.NewObject()
		v.Foreach(func(key, value *ast.Term) { out.Insert(k.term(key), k.term(value)) })
		return &ast.Term{Value: out, Location: t.Location}
	}
	return hole("", t.Location)
}

// ref returns the value of a reference to a rule with one definition, which is in the same file.
func (k *known) ref(ref ast.Ref, loc *ast.Location) *ast.Term {
	if !isData(ref) || !ref.IsGround() || k.inside > 0 {
		return hole("", loc)
	}
	for n := len(ref); n > 1; n-- {
		rules := k.compiler.GetRulesExact(ref[:n])
		if len(rules) == 0 {
			continue
		}
		rule := rules[0]
		if len(rules) > 1 || rule.Default || rule.Else != nil || len(rule.Head.Args) > 0 || rule.Head.DocKind() != ast.CompleteDoc || rule.Head.Value == nil {
			break
		}
		value := knownWithin(k.compiler, rule, k.depth, k.left).term(rule.Head.Value)
		for _, key := range ref[n:] {
			if value = field(value, key); value == nil {
				return hole("", loc)
			}
		}
		if rule.Location == nil || rule.Location.File != k.file { // its place is in another file
			return hole(knownType(value.Value), loc)
		}
		return value
	}
	return hole("", loc)
}

// field returns a field of an object; nil if it is not known.
func field(t, key *ast.Term) *ast.Term {
	object, ok := t.Value.(ast.Object)
	if !ok {
		return nil
	}
	return object.Get(key)
}

// call returns what is known of the result of a built-in.
func (k *known) call(terms []*ast.Term, loc *ast.Location) *ast.Term {
	b := builtin(terms[0])
	if b == nil || b.Decl == nil {
		return hole("", loc)
	}
	switch operands := terms[1:]; {
	case b.Name == ast.ObjectUnion.Name && len(operands) == 2:
		return union(k.term(operands[0]), k.term(operands[1]), loc)
	case b.Name == ast.ObjectUnionN.Name && len(operands) == 1:
		list, ok := k.term(operands[0]).Value.(*ast.Array)
		if !ok || list.Len() == 0 {
			return hole("object", loc)
		}
		out := list.Elem(0)
		for i := 1; i < list.Len(); i++ {
			out = union(out, list.Elem(i), loc)
		}
		return out
	}
	switch b.Decl.Result().(type) {
	case types.String:
		return hole("string", loc)
	case types.Number:
		return hole("number", loc)
	case types.Boolean:
		return hole("boolean", loc)
	case *types.Array, *types.Set:
		return hole("array", loc)
	case *types.Object:
		return hole("object", loc)
	}
	return hole("", loc)
}

// isKnown reports whether a term of known has no computed part.
func isKnown(t *ast.Term) bool {
	all := true
	ast.WalkTerms(t, func(t *ast.Term) bool {
		if _, is := computed(t.Value); is {
			all = false
		}
		return !all
	})
	return all
}

// knownType returns the JSON type of a term of known, or "".
func knownType(v ast.Value) string {
	if jsonType, is := computed(v); is {
		return jsonType
	}
	if _, isSet := v.(ast.Set); isSet {
		return "array"
	}
	return jsonType(v)
}
