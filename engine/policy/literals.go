package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// hugeNumbers reports number literals that are too large for arithmetic: adding
// one to 1e1000000 takes a million digits.
func hugeNumbers(m *ast.Module) mistake.Mistakes {
	var out mistake.Mistakes
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if n, ok := t.Value.(ast.Number); ok {
			if err := bounded.CheckNumber(string(n)); err != nil {
				out = append(out, at(t.Location, err.Error(), "write a smaller number"))
			}
		}
		return false
	})
	return out
}
