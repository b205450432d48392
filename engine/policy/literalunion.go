package policy

import "github.com/open-policy-agent/opa/v1/ast"

// union returns what is known of object.union(a, b): fields of b replace those of a, and
// objects below one key are joined.
func union(a, b *ast.Term, loc *ast.Location) *ast.Term {
	out := ast.NewObject()
	left, leftKnown := a.Value.(ast.Object)
	right, rightKnown := b.Value.(ast.Object)
	if !leftKnown && !rightKnown {
		return hole("object", loc)
	}
	rightOpen := !rightKnown || isOpen(right)
	if !leftKnown || rightOpen {
		out.Insert(hole("", loc), hole("", loc))
	}
	if leftKnown {
		left.Foreach(func(key, value *ast.Term) {
			other := (*ast.Term)(nil)
			if rightKnown {
				other = right.Get(key)
			}
			switch {
			case other != nil:
			case rightOpen:
				out.Insert(key, hole("", value.Location))
			default:
				out.Insert(key, value)
			}
		})
	}
	if rightKnown {
		right.Foreach(func(key, value *ast.Term) {
			other := hole("", loc)
			if leftKnown {
				if other = left.Get(key); other == nil && !isOpen(left) {
					out.Insert(key, value)
					return
				} else if other == nil {
					other = hole("", loc)
				}
			}
			out.Insert(key, joined(other, value))
		})
	}
	return &ast.Term{Value: out, Location: loc}
}

// joined returns what is known of the value of a key that both sides of a union may have.
func joined(a, b *ast.Term) *ast.Term {
	left, right := knownType(a.Value), knownType(b.Value)
	switch {
	case right != "" && right != "object", left != "" && left != "object":
		return b // it is not joined, but replaced
	case right == "":
		return hole("", b.Location)
	}
	return union(a, b, b.Location)
}

// isOpen reports whether an object has a computed key.
func isOpen(o ast.Object) bool {
	return o.Until(func(key, _ *ast.Term) bool {
		_, is := computed(key.Value)
		return is
	})
}
