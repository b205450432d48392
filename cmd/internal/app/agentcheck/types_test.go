package agentcheck

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// verifyFile checks one policy against the sample agent.
func verifyFile(t *testing.T, file string) []string {
	t.Helper()
	agents, err := manifest.Read([]string{"testdata/types/agent.yaml"}, agentspec.Kinds())
	require.NoError(t, err)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	files := fstest.MapFS{filepath.Base(file): {Data: raw}}
	if strings.HasPrefix(filepath.Base(file), "guard_") {
		files["sample.rego"] = &fstest.MapFile{Data: []byte("package scanflow.strategies.t.sample\n\npropose contains {\"primitive\": \"scale\", \"with\": {\"replicas\": 2}, \"reason\": \"r\", \"because\": []}\n")}
	}
	src, err := source.FromFS(files)()
	require.NoError(t, err)
	rev, err := policy.Compile(t.Context(), src, policy.Options{})
	if err != nil {
		return []string{err.Error()}
	}
	var found mistake.Mistakes
	if err := Verify(agents, rev); err != nil {
		require.True(t, errors.As(err, &found))
	}
	lines := make([]string, len(found))
	for i, m := range found {
		lines[i] = m.Error()
	}
	return lines
}

// Each policy has one mistake in its names or types, which is named with the fix.
func TestEachMistakeInNamesAndTypesIsNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/types/*.rego")
	require.NoError(t, err)
	var got strings.Builder
	for _, file := range files {
		found := verifyFile(t, file)
		require.NotEmpty(t, found, file)
		for _, line := range found {
			got.WriteString(line + "\n")
		}
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/types/want.txt", []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/types/want.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "run with -update to write it")
}

// Nothing is said of what an agent may have, or of what is for other agents.
func TestNoMistakeIsNamedWhereThereIsNone(t *testing.T) {
	files, err := filepath.Glob("testdata/types/good/*.rego")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.Empty(t, verifyFile(t, file), file)
	}
}

// A comparison that Verify refuses is no warning besides; one on its line is.
func TestWarningsWithoutWhatVerifyFinds(t *testing.T) {
	state := mistake.Mistake{File: "a.rego", Line: 3, Message: `input.signals.load.state is never "missing"`}
	verb := mistake.Mistake{File: "a.rego", Line: 3, Message: `input.proposal.primitive is never "scael"`}
	other := mistake.Mistake{File: "a.rego", Line: 4, Message: state.Message}
	found := mistake.Mistakes{{File: "a.rego", Line: 3, Message: `input.signals.load.state == "missing" is always false`}}
	require.Equal(t, mistake.Mistakes{verb, other}, WithoutFound(mistake.Mistakes{state, verb, other}, found))
	require.Len(t, WithoutFound(mistake.Mistakes{state, verb, other}, nil), 3)
}
