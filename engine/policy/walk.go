package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// walk is the visit of one rule.
type walk struct {
	*tracer
	out *reads
	// locals are what the variables stand for: a reference or a constant.
	locals map[ast.Var]*ast.Term
	// defines are the expressions that do nothing but give a variable its meaning.
	defines map[*ast.Expr]bool
	// depth counts how far a name is being followed.
	depth int
}

// maxDepth bounds a chain of names; one that is longer could stand for anything.
const maxDepth = 32

func isInput(ref ast.Ref) bool { return ref[0].Equal(ast.InputRootDocument) }
func isData(ref ast.Ref) bool  { return ref[0].Equal(ast.DefaultRootDocument) }

// isPart tells a reference to a whole signal, or to what holds signals or params:
// giving it a name is not yet reading it.
func isPart(ref ast.Ref) bool {
	if !isInput(ref) || len(ref) > 3 {
		return false
	}
	return len(ref) == 1 || ref[1].Value.Compare(ast.String("signals")) == 0 ||
		len(ref) == 2 && ref[1].Value.Compare(ast.String("params")) == 0
}

// node notes all that is read in a part of a rule.
func (w *walk) node(x any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			return w.expr(x)
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Ref:
				w.ref(v, x.Location)
				return true
			case ast.Var:
				w.variable(x)
				return true
			case ast.Call:
				w.call(v)
				return true
			}
		}
		return false
	}).Walk(x)
}

// expr returns true where it has visited all of the expression.
func (w *walk) expr(e *ast.Expr) bool {
	for _, with := range e.With {
		w.node(with.Value)
	}
	if terms, ok := e.Terms.([]*ast.Term); ok {
		if w.defines[e] {
			_, term, _ := definition(e)
			if m := w.meaning(term); m != nil {
				if ref, ok := m.Value.(ast.Ref); ok && isPart(ref) {
					return true
				}
			}
		}
		w.call(terms)
		return true
	}
	switch terms := e.Terms.(type) {
	case *ast.Term, *ast.SomeDecl, *ast.Every:
		w.node(terms)
	}
	return true
}

func (w *walk) variable(t *ast.Term) {
	m := w.meaning(t)
	if m == nil {
		return
	}
	if ref, ok := m.Value.(ast.Ref); ok && isInput(ref) {
		w.out.input(ref, t.Location)
	}
}

func (w *walk) ref(written ast.Ref, loc *ast.Location) {
	ref := w.resolve(written)
	switch {
	case isInput(ref):
		w.out.input(ref, loc)
	case isData(ref):
		for _, rule := range w.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true}) {
			if isTest(rule.Module) {
				continue
			}
			var tail ast.Ref
			if own := len(rule.Ref()); own < len(ref) && rule.Head.DocKind() == ast.CompleteDoc {
				tail = ref[own:]
			}
			w.out.add(w.rule(rule, nil, tail))
		}
	}
	for _, t := range written {
		switch t.Value.(type) {
		case ast.Var:
			if v, ok := local(t); !ok || w.locals[v] != nil {
				continue // its meaning is in the reference already
			}
		case ast.String, ast.Number, ast.Boolean, ast.Null:
			continue
		}
		w.node(t)
	}
}

// call visits a call: the operator and its operands.
func (w *walk) call(terms []*ast.Term) {
	operator, ok := terms[0].Value.(ast.Ref)
	operands := terms[1:]
	if !ok {
		return
	}
	if isData(operator) {
		w.function(operator, operands)
		return
	}
	if operator.Equal(ast.ObjectGet.Ref()) && len(operands) >= 3 {
		if ref := w.path(operands[0], operands[1]); ref != nil {
			w.out.input(ref, operands[0].Location)
			w.out.params.readOr(ref, w.meaning(operands[2]))
			for _, o := range operands[2:] {
				w.node(o)
			}
			return
		}
	}
	for _, o := range operands {
		w.node(o)
	}
}

// path is the reference that object.get asks for, nil where the text doesn't tell.
func (w *walk) path(object, key *ast.Term) ast.Ref {
	base, at := w.meaning(object), w.meaning(key)
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
		return w.resolve(ref)
	}
	return nil
}

// function visits a call of a function of the policies.
func (w *walk) function(operator ast.Ref, operands []*ast.Term) {
	rules := w.compiler.GetRulesDynamicWithOpts(operator, ast.RulesOptions{IncludeHiddenModules: true})
	args := make([]*ast.Term, len(operands))
	for i, o := range operands {
		m := w.meaning(o)
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
			w.node(o)
		}
	}
	for _, rule := range rules {
		w.out.add(w.rule(rule, args, nil))
		if n := len(rule.Head.Args); n < len(args) {
			for _, o := range operands[n:] {
				w.node(o) // the result is matched with it
			}
		}
	}
}

// head visits what a rule gives back, of which only the tail is asked for.
func (w *walk) head(h *ast.Head, tail ast.Ref) {
	for _, t := range h.Reference[min(1, len(h.Reference)):] {
		if _, ok := t.Value.(ast.Var); ok {
			w.node(t)
		}
	}
	if h.Key != nil {
		w.node(h.Key)
	}
	if h.Value == nil {
		return
	}
	if m := w.meaning(h.Value); len(tail) > 0 && m != nil {
		if ref, ok := m.Value.(ast.Ref); ok && isInput(ref) {
			w.out.input(append(append(ast.Ref{}, ref...), tail...), h.Value.Location)
			return
		}
	}
	w.node(h.Value)
}
