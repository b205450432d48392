package bounded

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// BenchmarkHot measures the most used built-ins with their limits, and in stock OPA.
func BenchmarkHot(b *testing.B) {
	for name, operands := range map[string]string{
		"gt": `[12, 7.5]`, "lt": `[3, 4]`, "equal": `["a", "b"]`, "plus": `[1, 2]`, "minus": `[9, 2]`, "mul": `[12, 3]`, "div": `[12.5, 3]`,
		"ceil": `[1.5]`, "round": `[1.5]`, "object.get": `[{"a": 1}, "a", 0]`, "sprintf": `["%s has %d", ["a", 3]]`, "internal.member_2": `["a", ["b", "a"]]`,
		"concat": `[", ", ["a", "b"]]`, "regex.match": "[`^a+$`, `aaa`]",
	} {
		var args []*ast.Term
		ast.MustParseTerm(operands).Value.(*ast.Array).Foreach(func(t *ast.Term) { args = append(args, t) })
		stock := topdown.GetBuiltin(name)
		for how, call := range map[string]topdown.BuiltinFunc{"stock": stock, "bounded": table()[name].over(name, stock)} {
			b.Run(name+"/"+how, func(b *testing.B) {
				for b.Loop() {
					if err := call(topdown.BuiltinContext{}, args, func(*ast.Term) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
