package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Functions of which each calls the next one twice have as many calls as a power of two.
func TestReadsOfFunctionsThatCallManyTimes(t *testing.T) {
	var rego strings.Builder
	rego.WriteString("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": [\"rps\"]} if f0(input.signals.rps)\n\n")
	args := "s"
	const depth = 24
	for i := range depth {
		fmt.Fprintf(&rego, "f%d(%s) if {\n\tf%d(%s, \"a\")\n\tf%d(%s, \"b\")\n}\n\n", i, args, i+1, args, i+1, args)
		args += fmt.Sprintf(", x%d", i)
	}
	fmt.Fprintf(&rego, "f%d(%s) if count([%s]) < s.value\n", depth, args, args)
	got := compiled(t, one(rego.String()), Options{}).Reads([]string{"x"})
	require.NotZero(t, got.Signals["rps"]&engine.SignalValue)
	require.False(t, got.AllSignals)
}
