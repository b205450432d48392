package reload

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// The copy that the next process may start from has all sources of the policies.
func TestWhatRanIsCopiedWithAllSources(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a/strategy.rego": "package scanflow.strategies.t.none\n\npropose contains {\"primitive\": \"webhook\", \"with\": {}, \"reason\": \"r\", \"because\": []}\n", "b/guard.rego": "package scanflow.guards.site\n\ndeny contains \"over\" if input.params.bound > 9\n"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	src, err := policysource.Source{Paths: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}.Read(t.Context())
	require.NoError(t, err)
	live, err := policy.Candidate(t.Context(), src, policy.Options{})
	require.NoError(t, err)
	copied := NewLastGood(filepath.Join(dir, "data"), Files{}, true, hclog.NewNullLogger())
	require.NoError(t, copied.write(live))
	kept, _, err := copied.Read()
	require.NoError(t, err)
	require.Equal(t, src.ID(), kept.ID())
	rev, err := policy.Candidate(t.Context(), kept, policy.Options{})
	require.NoError(t, err)
	require.Equal(t, live.GuardInfos(), rev.GuardInfos())
}
