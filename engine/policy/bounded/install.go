package bounded

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var once sync.Once

// Install puts the limits in place for every evaluation of this process from then on.
// It must be called before the first one: OPA's table of built-ins is not guarded
// against a change beside an evaluation. Calling it again does nothing.
func Install() {
	once.Do(func() {
		for name, r := range table() {
			if r.check == nil && r.instead == nil {
				continue
			}
			stock := topdown.GetBuiltin(name)
			if stock == nil {
				continue // declared by OPA, and evaluated by its core
			}
			topdown.RegisterBuiltinFunc(name, r.over(name, stock))
		}
		ast.RegisterBuiltin(Same)
		topdown.RegisterBuiltinFunc(Same.Name, equality(true)(Same.Name, nil))
	})
}

// over is the built-in with its rule before it.
func (r rule) over(name string, stock topdown.BuiltinFunc) topdown.BuiltinFunc {
	if r.instead != nil {
		return r.instead(name, stock)
	}
	check := r.check
	return func(bctx topdown.BuiltinContext, args []*ast.Term, iter func(*ast.Term) error) error {
		if err := check(args); err != nil {
			return halt(name, bctx.Location, err)
		}
		return stock(bctx, args, iter)
	}
}
