package policy

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// The page on strategies says the limits as they are.
func TestTheLimitsAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/strategies.md")
	require.NoError(t, err)
	for _, row := range []string{
		fmt.Sprintf("| a number, also in data files and in Rego | %d digits", bounded.MaxDigits),
		fmt.Sprintf("takes or gives | %d bytes", bounded.MaxText),
		fmt.Sprintf("`net.cidr_expand`, ...) | %d |", bounded.MaxElements),
		fmt.Sprintf("in bytes when written out | %d |", bounded.MaxWritten),
		fmt.Sprintf("`glob` | %d bytes; %d steps", bounded.MaxPattern, bounded.MaxSteps),
		fmt.Sprintf("work of one call | %d steps", bounded.MaxWork),
		fmt.Sprintf("key or certificate | %d bytes", bounded.MaxProgram),
		fmt.Sprintf("`rego.parse_module` reads | %d, and %d levels", bounded.MaxOperators, bounded.MaxNested),
		fmt.Sprintf("of it and its schema | %d |", bounded.MaxCompared),
		fmt.Sprintf("in a data file | %d, and %d;", bounded.MaxKeys, bounded.MaxFileKeys),
		fmt.Sprintf("in `sprintf` | %d |", bounded.MaxWidth),
		fmt.Sprintf("in Rego | %d levels", bounded.MaxDepth),
		fmt.Sprintf("what one guard says) | %d bytes", MaxProposal),
		fmt.Sprintf("proposes at a time | %d bytes", MaxAnswer),
	} {
		require.Contains(t, string(raw), row)
	}
}
