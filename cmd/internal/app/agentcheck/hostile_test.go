package agentcheck

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// A value that rules share counts as far as it is looked at, however large it would be.
func TestProposalsOfSharedValuesAreCheckedInTime(t *testing.T) {
	var text strings.Builder
	text.WriteString("package scanflow.strategies.t.s\n\na0 := {\"x\": input.target.name}\n")
	for i := 1; i <= 30; i++ {
		fmt.Fprintf(&text, "\na%d := {\"x\": a%d, \"y\": a%d, \"z\": object.union(a%d, {\"w\": a%d})}\n", i, i-1, i-1, i-1, i-1)
	}
	for i := range 200 {
		fmt.Fprintf(&text, "\npropose contains {\"primitive\": \"event.send\", \"with\": {\"type\": \"t\", \"data\": [a30, %d]}, \"reason\": \"r\", \"because\": []}\n", i)
		fmt.Fprintf(&text, "\npropose contains {\"primitive\": \"place\", \"with\": a30, \"reason\": \"r%d\", \"because\": []}\n", i)
	}
	src, err := source.FromFS(fstest.MapFS{"s.rego": {Data: []byte(text.String())}})()
	require.NoError(t, err)
	begin := time.Now()
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	_ = Verify(nil, rev)
	_ = Warnings(nil, rev)
	require.Less(t, time.Since(begin), 30*time.Second)
}
