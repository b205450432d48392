package helm_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// The agents of a rendered chart are checked, and their rights printed, through a pipe.
func TestARenderedChartIsChecked(t *testing.T) {
	t.Parallel()
	built, err := testcluster.Shared(t).BuildBinaries(t.Context())
	require.NoError(t, err)
	piped := func(rendered string, args ...string) (stdout, stderr string, err error) {
		cmd := exec.CommandContext(t.Context(), built.Scanflow, args...)
		var out, said bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(rendered), &out, &said
		err = cmd.Run()
		return out.String(), said.String(), err
	}
	rendered := render(t, "digits", "-f", filepath.Join("testdata", "piped.yaml"))
	out, said, err := piped(rendered, "check", "--kubernetes", "-f", "-")
	require.NoError(t, err, said)
	require.Contains(t, out, "ok: 2 agents, ")
	require.Regexp(t, `(?m)^note: skipped what is no Agent: .*2 CustomResourceDefinition, 1 Deployment, `, said)

	out, said, err = piped(rendered, "rbac", "-f", "-", "--namespace", "digits")
	require.NoError(t, err, said)
	require.Contains(t, out, "as `scanflow rbac` says: digits/planner, digits/watcher.")

	_, said, err = piped(render(t, "digits"), "check", "-f", "-")
	require.Error(t, err)
	require.Contains(t, said, "standard input: has no Agent in it: found ")

	_, said, err = piped(strings.Replace(rendered, "  mode: dry-run", "  mode: dryrun", 1), "check", "-f", "-")
	require.Error(t, err)
	require.Regexp(t, `(?m)^standard input:\d{2,}:\d+: Agent digits/watcher: spec.mode: "dryrun" is not known here; did you mean dry-run\?`, said)
}
