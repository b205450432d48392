package spelling

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	names := []string{"replicas", "stepUp", "stepDown", "min", "max", "priority", "requests_per_second"}
	for name, want := range map[string]string{
		"replica": "replicas", "repilcas": "replicas", "STEPUP": "stepUp", "step_up": "stepUp", "mni": "min", "prio": "priority",
		"requests-per-second": "requests_per_second", "request_per_second": "requests_per_second", "requests": "requests_per_second",
		"colour": "", "x": "", "pr": "", "": "", strings.Repeat("replicas", 20): "",
	} {
		require.Equal(t, want, Nearest(name, names), name)
	}
	require.Empty(t, Nearest("x", nil))
	require.Equal(t, 1, Distance("scael", "scale"), "two letters swapped")
	require.Equal(t, 3, Distance("kitten", "sitting"))
}
