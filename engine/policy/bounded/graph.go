package bounded

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

func neighbours(t *ast.Term, visit func(*ast.Term) bool) {
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Until(visit)
	case ast.Set:
		v.Until(visit)
	}
}

// reachable implements graph.reachable and visits each vertex once. OPA's own visits a
// vertex once for every path to it, of which there may be exponentially many.
func reachable(name string, stock topdown.BuiltinFunc) topdown.BuiltinFunc {
	operands := written(0, 1)
	return func(bctx topdown.BuiltinContext, args []*ast.Term, iter func(*ast.Term) error) error {
		if err := operands(args); err != nil {
			return halt(name, bctx.Location, err)
		}
		graph, isObject := args[0].Value.(ast.Object)
		switch args[1].Value.(type) {
		case *ast.Array, ast.Set:
		default:
			isObject = false
		}
		if !isObject {
			return stock(bctx, args, iter) // reports the error
		}
		found, queued := ast.NewSet(), ast.NewSet()
		var queue []*ast.Term
		enqueue := func(t *ast.Term) bool {
			if !queued.Contains(t) {
				queued.Add(t)
				queue = append(queue, t)
			}
			return false
		}
		neighbours(args[1], enqueue)
		for len(queue) > 0 {
			if bctx.Cancel != nil && bctx.Cancel.Cancelled() {
				return topdown.Halt{Err: &topdown.Error{Code: topdown.CancelErr, Message: name + ": timed out", Location: bctx.Location}}
			}
			node := queue[0]
			queue = queue[1:]
			if edges := graph.Get(node); edges != nil {
				found.Add(node)
				neighbours(edges, enqueue)
			}
		}
		return iter(ast.NewTerm(found))
	}
}

// paths bounds graph.reachable_paths, which may return exponentially many paths, by
// walking them first without storing them.
func paths(args []*ast.Term) error {
	if err := written(0, 1)(args); err != nil {
		return err
	}
	graph, ok := args[0].Value.(ast.Object)
	if !ok {
		return nil
	}
	w := pathWalk{graph: graph}
	over := false
	neighbours(args[1], func(t *ast.Term) bool {
		over = !w.from(t, 1)
		return over
	})
	if over {
		return refuse("the paths have more than %d vertices together; ask for graph.reachable, or of a smaller graph", MaxElements)
	}
	return nil
}

type pathWalk struct {
	graph ast.Object
	steps int
	path  []*ast.Term
}

// from reports whether all paths from a vertex are within the limit.
func (w *pathWalk) from(t *ast.Term, depth int) bool {
	w.steps += depth
	if w.steps > MaxElements {
		return false
	}
	edges := w.graph.Get(t)
	if edges == nil || w.passed(t) {
		return true
	}
	w.path = append(w.path, t)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	within := true
	neighbours(edges, func(next *ast.Term) bool {
		within = w.from(next, depth+1)
		return !within
	})
	return within
}

// passed reports whether a vertex is already on the path.
func (w *pathWalk) passed(t *ast.Term) bool {
	for _, on := range w.path {
		w.steps++
		if on.Equal(t) {
			return true
		}
	}
	return false
}
