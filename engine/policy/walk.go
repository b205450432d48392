package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// walk visits one rule and collects what it reads.
type walk struct {
	*readTracer
	reads *reads
	// locals are the values of variables: a reference or a constant.
	locals map[ast.Var]*ast.Term
	// defines are the expressions that only define a variable.
	defines map[*ast.Expr]bool
	// depth is the number of names that are being resolved.
	depth int
}

// maxDepth bounds a chain of names. A longer one counts as reading everything.
const maxDepth = 32

func isInput(ref ast.Ref) bool { return ref[0].Equal(ast.InputRootDocument) }
func isData(ref ast.Ref) bool  { return ref[0].Equal(ast.DefaultRootDocument) }

// isContainer reports whether a reference is to a whole signal, to the input, or to a whole
// section of it that every document has. Assigning one to a variable does not count as
// reading it.
func isContainer(ref ast.Ref) bool {
	if !isInput(ref) || len(ref) > 3 {
		return false
	}
	switch refKey(ref, 1) {
	case "signals":
		return true
	case "params", "target", "memory", "claims":
		return len(ref) == 2
	}
	return len(ref) == 1
}

// addReads adds what a part of a rule reads.
func (w *walk) addReads(x any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			return w.visitExpr(x)
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Ref:
				w.visitRef(v, x.Location)
				return true
			case ast.Var:
				w.visitVar(x)
				return true
			case ast.Call:
				w.visitCall(v)
				return true
			}
		}
		return false
	}).Walk(x)
}

// visitExpr returns true if it has visited the whole expression.
func (w *walk) visitExpr(e *ast.Expr) bool {
	for _, with := range e.With {
		w.addReads(with.Value)
	}
	if terms, ok := e.Terms.([]*ast.Term); ok {
		if w.defines[e] {
			_, term, _ := definition(e)
			if m := w.resolveTerm(term); m != nil {
				if ref, ok := m.Value.(ast.Ref); ok && isContainer(ref) {
					return true
				}
			}
		}
		w.visitCall(terms)
		return true
	}
	switch terms := e.Terms.(type) {
	case *ast.Term, *ast.SomeDecl, *ast.Every:
		w.addReads(terms)
	}
	return true
}

func (w *walk) visitVar(t *ast.Term) {
	m := w.resolveTerm(t)
	if m == nil {
		return
	}
	if ref, ok := m.Value.(ast.Ref); ok && isInput(ref) {
		w.reads.addRef(ref, t.Location)
	}
}

func (w *walk) visitRef(written ast.Ref, loc *ast.Location) {
	ref := w.resolveRef(written)
	switch {
	case isInput(ref):
		w.reads.addRef(ref, loc)
	case isData(ref):
		for _, rule := range w.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true}) {
			if isTest(rule.Module) {
				continue
			}
			var tail ast.Ref
			if own := len(rule.Ref()); own < len(ref) && rule.Head.DocKind() == ast.CompleteDoc {
				tail = ref[own:]
			}
			w.reads.merge(w.readsOf(rule, nil, tail))
		}
	}
	for _, t := range written {
		switch t.Value.(type) {
		case ast.Var:
			if v, ok := localVar(t); !ok || w.locals[v] != nil {
				continue // the resolved reference contains its value
			}
		case ast.String, ast.Number, ast.Boolean, ast.Null:
			continue
		}
		w.addReads(t)
	}
}

// visitCall visits a call: the operator and its operands.
func (w *walk) visitCall(terms []*ast.Term) {
	operator, ok := terms[0].Value.(ast.Ref)
	operands := terms[1:]
	if !ok {
		return
	}
	if isData(operator) {
		w.visitFunction(operator, operands)
		return
	}
	if operator.Equal(ast.ObjectGet.Ref()) && len(operands) >= 3 {
		if ref := w.getPath(operands[0], operands[1]); ref != nil {
			w.reads.addRef(ref, operands[0].Location)
			w.reads.params.addWithDefault(ref, w.resolveTerm(operands[2]))
			for _, o := range operands[2:] {
				w.addReads(o)
			}
			return
		}
	}
	for _, o := range operands {
		w.addReads(o)
	}
}

// getPath returns the reference that object.get reads, or nil if it is computed.
func (w *walk) getPath(object, key *ast.Term) ast.Ref {
	base, at := w.resolveTerm(object), w.resolveTerm(key)
	if base == nil || at == nil {
		return nil
	}
	ref, ok := base.Value.(ast.Ref)
	if !ok || !isInput(ref) {
		return nil
	}
	ref = append(ast.Ref{}, ref...)
	switch k := at.Value.(type) {
	case ast.String:
		return append(ref, at)
	case *ast.Array:
		k.Foreach(func(t *ast.Term) { ref = append(ref, t) })
		return w.resolveRef(ref)
	}
	return nil
}

// visitFunction visits a call of a function that is defined in Rego.
func (w *walk) visitFunction(operator ast.Ref, operands []*ast.Term) {
	rules := w.compiler.GetRulesDynamicWithOpts(operator, ast.RulesOptions{IncludeHiddenModules: true})
	args := make([]*ast.Term, len(operands))
	for i, o := range operands {
		m := w.resolveTerm(o)
		if m != nil {
			switch v := m.Value.(type) {
			case ast.Ref:
				if isInput(v) && v.IsGround() { // a variable in it would be the caller's
					args[i] = m
				}
			case ast.String, ast.Number, ast.Boolean, ast.Null:
				args[i] = m
			case *ast.Array, ast.Object:
				if v.IsGround() {
					args[i] = m
				}
			}
		}
		if args[i] == nil {
			w.addReads(o)
		}
	}
	for _, rule := range rules {
		if w.calls[rule] < maxCalls {
			w.reads.merge(w.readsOf(rule, args, nil))
		} else {
			w.reads.merge(w.readsOf(rule, nil, nil))
			for _, o := range operands[:min(len(rule.Head.Args), len(operands))] {
				w.addReads(o)
			}
		}
		if n := len(rule.Head.Args); n < len(args) {
			for _, o := range operands[n:] {
				w.addReads(o) // the operand that the result is unified with
			}
		}
	}
}

// visitHead visits the value of a rule, of which only the tail is used.
func (w *walk) visitHead(h *ast.Head, tail ast.Ref) {
	for _, t := range h.Reference[min(1, len(h.Reference)):] {
		if _, ok := t.Value.(ast.Var); ok {
			w.addReads(t)
		}
	}
	if h.Key != nil {
		w.addReads(h.Key)
	}
	if h.Value == nil {
		return
	}
	if m := w.resolveTerm(h.Value); len(tail) > 0 && m != nil {
		if ref, ok := m.Value.(ast.Ref); ok && isInput(ref) {
			w.reads.addRef(append(append(ast.Ref{}, ref...), tail...), h.Value.Location)
			return
		}
	}
	w.addReads(h.Value)
}
