package policy

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// `==` of two values that are not constants is bounded, and means what it meant.
func TestEqualsIsBoundedAndMeansTheSame(t *testing.T) {
	ctx := context.Background()
	proposal := `propose contains {"primitive": "scale", "with": {}, "reason": "r", "because": []} if `
	for body, want := range map[string]int{
		`{ input.target.name == input.target.name }`:                                                      1,
		`{ input.target.name == input.target.kind }`:                                                      0,
		`{ input.target.name == input.nothing }`:                                                          0,
		`{ input.nothing == input.nothing }`:                                                              0,
		`{ not input.target.name == input.target.kind }`:                                                  1,
		`{ not input.target.name == input.nothing }`:                                                      1,
		`{ x := {"a": [1, 2.0]}; y := {"a": [1.0, 2]}; x == y }`:                                          1,
		`{ x := 1; [x, 2] == [1, x + 1] }`:                                                                1,
		`{ some x in [1, 2]; some y in [2, 3]; x == y }`:                                                  1,
		`{ every x in [1, 2] { x == [1, 2][x - 1] } }`:                                                    1,
		`{ count([x | some x in [1, 2]; x == input.target.replicas.desired]) == 1 }`:                      1,
		`{ ok := (input.target.name == input.target.name); ok }`:                                          1,
		`{ input.target.name == input.target.kind with input as {"target": {"name": "a", "kind": "a"}} }`: 1,
		`{ f(input.target.name) == f(input.target.name) }`:                                                1,
		`{ false == (input.target.name == input.target.kind) }`:                                           1,
	} {
		rev := compiled(t, one("f(x) := [x]\n\n"+proposal+body), Options{})
		e := rev.Evaluate(ctx, []string{"x"}, document(1))
		require.Empty(t, e.Problems, body)
		require.Len(t, e.Proposals, want, body)
	}
}

// The types of both sides are still compared with a schema.
func TestEqualsIsCheckedAgainstASchema(t *testing.T) {
	rev := compiled(t, one(`propose contains {"primitive": "scale", "with": {}, "reason": "r", "because": []} if { input.target.name == input.now_ns }`), Options{})
	schema := []byte(`{"type": "object", "properties": {"now_ns": {"type": "number"}, "target": {"type": "object", "properties": {"name": {"type": "string"}}}}}`)
	require.Contains(t, messages(rev.CheckAgainst(schema, []string{"x"})), "a string is never a number")
}
