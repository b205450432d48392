package turn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestWaitShowsTheChangeWhereThereIsAPlan(t *testing.T) {
	for diff, want := range map[string]string{"replicas 1 -> 2": "replicas 1 -> 2: would wait for a person", "": "would wait for a person"} {
		c := &candidate{change: engine.Change{Diff: diff}}
		c.wait(nil, "would wait for a person")
		require.Equal(t, want, c.decision.Detail)
		require.Equal(t, engine.Waiting, c.decision.Verdict)
	}
}
