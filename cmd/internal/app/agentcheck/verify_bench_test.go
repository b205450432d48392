package agentcheck

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// BenchmarkVerify measures the cost of a reload with the policies that ship and the agents of the
// scenarios: compiling and testing the policies, and comparing them with the agents.
func BenchmarkVerify(b *testing.B) {
	files, err := filepath.Glob("../../../../deploy/scenarios/*/agents")
	require.NoError(b, err)
	files = append(files, "../../../../deploy/modeldebug/agents")
	agents, err := manifest.Read(files, agentspec.Kinds())
	require.NoError(b, err)
	src, err := policysource.Source{}.Read(b.Context())
	require.NoError(b, err)
	rev, err := policy.Compile(b.Context(), src, policy.Options{})
	require.NoError(b, err)
	b.Run("compile and test", func(b *testing.B) {
		for b.Loop() {
			_, err := policy.Candidate(b.Context(), src, policy.Options{})
			require.NoError(b, err)
		}
	})
	b.Run("agents", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, Verify(agents, rev))
		}
	})
}
