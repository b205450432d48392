package policy

import "github.com/open-policy-agent/opa/v1/ast"

// learn finds what the local variables stand for. OPA has named them apart over
// all modules before this, so one map serves nested bodies too.
func (w *walk) learn(body ast.Body) {
	var constants []*ast.Expr
	top := map[*ast.Expr]bool{}
	for _, e := range body {
		top[e] = true
	}
	ast.WalkExprs(body, func(e *ast.Expr) bool {
		v, term, ok := definition(e)
		if !ok || len(e.With) > 0 {
			return false
		}
		switch term.Value.(type) {
		case ast.Ref, ast.Var:
			if _, known := w.locals[v]; !known {
				w.locals[v] = term
				w.defines[e] = true
			}
		case ast.String, ast.Number, ast.Boolean, ast.Null, *ast.Array, ast.Object:
			if top[e] {
				constants = append(constants, e)
			}
		}
		return false
	})
	for _, e := range constants {
		if v, term, _ := definition(e); w.locals[v] == nil {
			w.locals[v] = term
		}
	}
}

// definition takes `v = term` or `v := term` apart.
func definition(e *ast.Expr) (ast.Var, *ast.Term, bool) {
	if e.Negated || !e.IsCall() || !e.IsEquality() && !e.IsAssignment() || len(e.Operands()) != 2 {
		return "", nil, false
	}
	a, b := e.Operand(0), e.Operand(1)
	if v, ok := local(a); ok {
		return v, b, true
	}
	if v, ok := local(b); ok {
		return v, a, true
	}
	return "", nil, false
}

// local is a term that is a variable, and neither `input` nor `data`.
func local(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	return v, ok && !v.IsWildcard() && v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value
}

// meaning is what a term stands for: a reference into `input`, another reference,
// a constant, or nil where that isn't known.
func (w *walk) meaning(t *ast.Term) *ast.Term {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.out.everything(t.Location)
		return nil
	}
	switch v := t.Value.(type) {
	case ast.Var:
		if v == ast.InputRootDocument.Value {
			return ast.NewTerm(ast.Ref{t})
		}
		if next := w.locals[v]; next != nil {
			return w.meaning(next)
		}
	case ast.Ref:
		return &ast.Term{Value: w.resolve(v), Location: t.Location}
	case ast.String, ast.Number, ast.Boolean, ast.Null, *ast.Array, ast.Object:
		return t
	}
	return nil
}

// resolve puts into a reference what its variables stand for.
func (w *walk) resolve(ref ast.Ref) ast.Ref {
	out := ast.Ref{ref[0]}
	if head, ok := local(ref[0]); ok && w.locals[head] != nil {
		if m := w.meaning(ref[0]); m != nil {
			if r, ok := m.Value.(ast.Ref); ok {
				out = append(ast.Ref{}, r...)
			}
		}
	}
	for _, t := range ref[1:] {
		if v, ok := local(t); ok && w.locals[v] != nil {
			if m := w.meaning(t); m != nil {
				if _, ok := m.Value.(ast.String); ok {
					t = m
				}
			}
		}
		out = append(out, t)
	}
	return out
}
