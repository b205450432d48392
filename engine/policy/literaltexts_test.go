package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The literal texts of a proposal are found with their position, in the head or through local
// variables. Computed texts are not known before the evaluation.
func TestWhatAStrategyMentions(t *testing.T) {
	rev := compiled(t, one(`propose contains {
	"primitive": "event.send", "reason": "r", "because": [],
	"marks": ["checked", "seen"],
}

propose contains p if {
	name := "local"
	marks := ["retrained", name]
	p := {"primitive": "scale", "reason": "r", "because": [], "marks": marks}
}

propose contains {"primitive": v, "reason": "r", "because": [], "marks": [m]} if {
	v := input.params.verb
	m := input.params.mark
}

propose contains {"primitive": "restart", "reason": "r", "because": [], "marks": input.params.marks}
`), Options{})
	require.Equal(t, []PrimitiveReference{{"event.send", "x.rego", 4}, {"scale", "x.rego", 11}, {"restart", "x.rego", 19}}, rev.Primitives("x"))
	require.Equal(t, []MarkReference{{"checked", "x.rego", 5}, {"seen", "x.rego", 5}, {"retrained", "x.rego", 10}, {"local", "x.rego", 9}}, rev.Marks("x"))
	require.Empty(t, rev.Primitives("nobody"))
	require.Empty(t, rev.Marks("nobody"))
}
