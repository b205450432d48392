package agentcheck

import (
	"errors"
	"flag"
	"fmt"
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

var update = flag.Bool("update", false, "write the golden files")

// Each file of testdata/corpus has one mistake, or none if it is called right_*, and
// testdata/corpus.golden has what check says of it. The first line may name another agent
// of testdata/corpus/agents than `every`.
func TestEachMistakeOfTheCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.rego")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		agent := "every"
		if first, _, _ := strings.Cut(string(text), "\n"); strings.HasPrefix(first, "# agent: ") {
			agent = strings.TrimPrefix(first, "# agent: ")
		}
		name := filepath.Base(file)
		wrong, doubts := judged(t, name, text, agent)
		if strings.HasPrefix(name, "right_") {
			require.Empty(t, append(wrong, doubts...).Lines(), name)
			continue
		}
		fmt.Fprintf(&all, "== %s\n", name)
		for _, m := range wrong {
			fmt.Fprintln(&all, m.Error())
		}
		for _, m := range doubts {
			fmt.Fprintln(&all, "warning: "+m.Error())
		}
		require.NotEmpty(t, append(wrong, doubts...), name)
		for _, m := range append(wrong, doubts...) {
			require.NotEmpty(t, m.File, m.Error())
			require.Positive(t, m.Line, m.Error())
			require.Positive(t, m.Column, m.Error())
		}
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/corpus.golden", []byte(all.String()), 0o600))
	}
	want, err := os.ReadFile("testdata/corpus.golden")
	require.NoError(t, err)
	require.Equal(t, string(want), all.String())
}

// judged returns what check would say of a policy and an agent, but for the tests and the
// METADATA that the policy lacks.
func judged(t *testing.T, name string, text []byte, agent string) (wrong, doubts mistake.Mistakes) {
	t.Helper()
	manifestText, err := os.ReadFile("testdata/corpus/agents/" + agent + ".yaml")
	require.NoError(t, err)
	agents, err := manifest.ReadBytes(agent+".yaml", manifestText, agentspec.Kinds())
	require.NoError(t, err)
	src, err := source.FromFS(fstest.MapFS{name: {Data: text}})()
	require.NoError(t, err)
	if draft, err := policy.Draft(t.Context(), src); err == nil {
		errors.As(Verify(agents, draft), &wrong)
		for _, m := range append(mistake.Mistakes(draft.Warnings()), Warnings(agents, draft)...) {
			if !strings.Contains(m.Message, "METADATA") && !strings.Contains(m.Message, "has no tests") && !strings.Contains(m.Message, "no strategy of this agent") {
				doubts = append(doubts, m)
			}
		}
	}
	_, err = policy.Compile(t.Context(), src, policy.Options{})
	var more mistake.Mistakes
	errors.As(err, &more)
	return append(wrong, more...), doubts
}
