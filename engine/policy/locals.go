package policy

import "github.com/open-policy-agent/opa/v1/ast"

// collectLocals collects the definitions of local variables. OPA's compiler has
// given them unique names over all modules, so one map serves nested bodies too.
func (w *walk) collectLocals(body ast.Body) {
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

// definition returns the variable and the term of `v = term` or `v := term`.
func definition(e *ast.Expr) (ast.Var, *ast.Term, bool) {
	if e.Negated || !e.IsCall() || !e.IsEquality() && !e.IsAssignment() || len(e.Operands()) != 2 {
		return "", nil, false
	}
	a, b := e.Operand(0), e.Operand(1)
	if v, ok := localVar(a); ok {
		return v, b, true
	}
	if v, ok := localVar(b); ok {
		return v, a, true
	}
	return "", nil, false
}

// localVar returns the variable of a term, unless it is `input`, `data` or a wildcard.
func localVar(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	return v, ok && !v.IsWildcard() && v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value
}

// resolveTerm returns the value of a term: a reference into `input`, another
// reference, a constant, or nil if it is not known.
func (w *walk) resolveTerm(t *ast.Term) *ast.Term {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.reads.addAll(t.Location)
		return nil
	}
	switch v := t.Value.(type) {
	case ast.Var:
		if v == ast.InputRootDocument.Value {
			return ast.NewTerm(ast.Ref{t})
		}
		if next := w.locals[v]; next != nil {
			return w.resolveTerm(next)
		}
	case ast.Ref:
		return &ast.Term{Value: w.resolveRef(v), Location: t.Location}
	case ast.String, ast.Number, ast.Boolean, ast.Null, *ast.Array, ast.Object:
		return t
	}
	return nil
}

// resolveRef replaces the variables in a reference by their values.
func (w *walk) resolveRef(ref ast.Ref) ast.Ref {
	out := ast.Ref{ref[0]}
	if head, ok := localVar(ref[0]); ok && w.locals[head] != nil {
		if m := w.resolveTerm(ref[0]); m != nil {
			if r, ok := m.Value.(ast.Ref); ok {
				out = append(ast.Ref{}, r...)
			}
		}
	}
	for _, t := range ref[1:] {
		if v, ok := localVar(t); ok && w.locals[v] != nil {
			if m := w.resolveTerm(t); m != nil {
				if _, ok := m.Value.(ast.String); ok {
					t = m
				}
			}
		}
		out = append(out, t)
	}
	return out
}
