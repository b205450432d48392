package valuetypes

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// body infers the variables of a body. It reports whether the body can hold: without, its
// findings are dropped, since it tests for a type that the value can't have on purpose.
func (c *checker) body(f *frame, body ast.Body) bool {
	before := len(f.findings)
	live := true
	for _, e := range body {
		if !c.expr(f, e) {
			c.skip(e.Location)
			live = false
		}
	}
	if !live {
		f.findings = f.findings[:before]
	}
	return live
}

// expr infers one expression. It returns false for a test of a type that the operand can't
// have.
func (c *checker) expr(f *frame, e *ast.Expr) bool {
	if c.steps++; c.exhausted() {
		return true
	}
	f.at = e.Location
	if len(e.With) > 0 {
		c.skip(e.Location)
		return true
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		c.term(f, terms)
	case *ast.Every:
		c.every(f, terms)
	case []*ast.Term:
		return c.call(f, e)
	}
	return true
}

func (c *checker) every(f *frame, every *ast.Every) {
	defer f.widen(len(f.narrowed))
	key, value := c.elements(f, every.Domain, c.term(f, every.Domain))
	if every.Key != nil {
		f.bind(every.Key, key)
	}
	f.bind(every.Value, value)
	c.body(f, every.Body)
}

// elements are the types of a term's keys and values. A term that has none is a finding.
func (c *checker) elements(f *frame, t *ast.Term, of *Type) (key, value *Type) {
	if key, value = c.each(of); value == nil {
		c.noElements(f, t.Location, f.text(c, t), f.text(c, t), of)
		return unknown, unknown
	}
	return key, value
}

func (c *checker) call(f *frame, e *ast.Expr) bool {
	operator, ok := e.OperatorTerm().Value.(ast.Ref)
	if !ok {
		return true
	}
	if operator[0].Equal(ast.DefaultRootDocument) {
		c.callFunction(f, e, operator)
		return true
	}
	operands := e.Operands()
	name := operator.String()
	if e.IsEquality() && len(operands) == 2 {
		c.unify(f, e, operands[0], operands[1])
		return true
	}
	if n := comparisons[name]; n > 0 && len(operands) >= n {
		c.compare(f, e, name, operands[:n])
		if len(operands) > n { // x := a > b
			c.output(f, e, operands[n], boolType)
		}
		return true
	}
	switch {
	case typeTests[name] != 0 && len(operands) == 1: // with another one, it is a boolean that may be false
		return c.typeTest(f, e, typeTests[name], operands[0])
	case name == ast.TypeNameBuiltin.Name:
		return false
	default:
		c.builtin(f, e, name)
	}
	return true
}

// typeTests are the built-in functions that test for a type.
var typeTests = map[string]kinds{
	ast.IsNull.Name: nullKind, ast.IsBoolean.Name: boolKind, ast.IsNumber.Name: numberKind, ast.IsString.Name: textKind,
	ast.IsArray.Name: arrayKind, ast.IsObject.Name: objectKind, ast.IsSet.Name: setKind,
}

// typeTest reports whether a test can succeed. Where it does, a variable is of that type.
func (c *checker) typeTest(f *frame, e *ast.Expr, kind kinds, operand *ast.Term) bool {
	t := c.term(f, operand)
	if t.kinds == 0 {
		return true
	}
	rest := t.kinds & kind
	if e.Negated {
		rest = t.kinds &^ kind
	}
	if rest == 0 {
		return false
	}
	if v, ok := operand.Value.(ast.Var); ok && rest != t.kinds && t.kinds != allKinds {
		narrowed := *t
		narrowed.kinds = rest
		f.narrow(v, &narrowed)
	}
	return true
}

// narrow gives a variable the type that a test leaves.
func (f *frame) narrow(v ast.Var, to *Type) {
	f.narrowed = append(f.narrowed, narrowing{v, f.types[v]})
	f.types[v] = to
}

// widen gives the variables that were narrowed since then their types again: a test in a
// comprehension or in `every` says nothing of what comes after it.
func (f *frame) widen(since int) {
	for i := len(f.narrowed) - 1; i >= since; i-- {
		f.types[f.narrowed[i].v] = f.narrowed[i].before
	}
	f.narrowed = f.narrowed[:since]
}

// unify infers `a = b`: a variable without a type gets that of the other side.
func (c *checker) unify(f *frame, e *ast.Expr, a, b *ast.Term) {
	for _, pair := range [][2]*ast.Term{{a, b}, {b, a}} {
		if v, ok := f.unbound(pair[0]); ok {
			f.types[v] = c.term(f, pair[1])
			if e.Location != nil {
				f.texts[v] = string(e.Location.Text)
				if pair[1].Location != nil && len(pair[1].Location.Text) > 0 {
					f.texts[v] = string(pair[1].Location.Text)
				}
			}
			return
		}
	}
	for _, pair := range [][2]*ast.Term{{a, b}, {b, a}} {
		if f.isPattern(pair[0]) {
			c.bindPattern(f, pair[0], c.term(f, pair[1]))
			return
		}
	}
	c.judgeEquality(f, e, a, b, true)
}

// unbound is the variable of a term, if it has no type yet.
func (f *frame) unbound(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	if !ok || v == ast.InputRootDocument.Value || v == ast.DefaultRootDocument.Value || f.types[v] != nil {
		return "", false
	}
	return v, true
}

func (f *frame) bind(t *ast.Term, to *Type) {
	if v, ok := t.Value.(ast.Var); ok {
		f.types[v] = to
	}
}

// isPattern reports whether a term is an array or an object with variables that have no
// type yet.
func (f *frame) isPattern(t *ast.Term) bool {
	switch t.Value.(type) {
	case *ast.Array, ast.Object:
	default:
		return false
	}
	found := false
	ast.WalkTerms(t, func(inner *ast.Term) bool {
		switch inner.Value.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		}
		_, ok := f.unbound(inner)
		found = found || ok
		return found
	})
	return found
}

// bindPattern gives the variables of a pattern the types of the parts of t.
func (c *checker) bindPattern(f *frame, pattern *ast.Term, t *Type) {
	switch v := pattern.Value.(type) {
	case ast.Var:
		if name, ok := f.unbound(pattern); ok {
			f.types[name] = t
		}
	case *ast.Array:
		elem := unknown
		if t.kinds&arrayKind != 0 {
			elem = orUnknown(t.elem)
		}
		v.Foreach(func(inner *ast.Term) { c.bindPattern(f, inner, elem) })
	case ast.Object:
		v.Foreach(func(key, inner *ast.Term) { c.bindPattern(f, inner, orUnknown(c.field(t, key.Value))) })
	}
}
