package bounded

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var once sync.Once

// Install sets the limits for all evaluations of this process. It must be called before
// the first one, because OPA's table of built-ins is not safe for concurrent use.
// Further calls do nothing.
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

// over returns the built-in with its rule applied.
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
