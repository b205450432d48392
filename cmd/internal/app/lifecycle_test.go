package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine"
)

// start makes an App and starts it.
func start(t testing.TB, o Options, observers ...engine.Observer) (*App, error) {
	t.Helper()
	a, err := New(o)
	if err != nil {
		return nil, err
	}
	return a, a.Start(t.Context(), observers...)
}

// A failed Start closes what it opened, so that another one can open it; Stop may follow
// it, and may be called twice. Reload takes up what is right and refuses the rest.
func TestStartReloadStop(t *testing.T) {
	dir := t.TempDir()
	agents, policies := filepath.Join(dir, "keeper.yaml"), filepath.Join(dir, "policies", "bound.rego")
	write := func(file, text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o644)) }
	require.NoError(t, os.Mkdir(filepath.Dir(policies), 0o755))
	write(policies, boundPolicy)
	o := Options{Manifests: []string{agents}, Policies: policysource.Source{Paths: []string{filepath.Dir(policies)}, WithoutShippedGuards: true}, Data: filepath.Join(dir, "data"), Log: hclog.NewNullLogger()}

	selecting := strings.Replace(boundAgent, "{static: [{name: web}]}", "{apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}", 1)
	write(agents, strings.ReplaceAll(selecting, "PARAMS", "")) // the mistake shows once the journal is open
	failed, err := start(t, o)
	require.ErrorContains(t, err, "nothing here runs workloads")
	require.NoError(t, failed.Stop(t.Context()))

	write(agents, strings.ReplaceAll(boundAgent, "PARAMS", ""))
	a, err := start(t, o)
	require.NoError(t, err)
	require.Len(t, a.Agents(), 1)
	write(agents, strings.ReplaceAll(boundAgent, "PARAMS", `bound: "4"`))
	require.ErrorContains(t, a.Reload(t.Context()), `spec.params.bound: is text, "4"`)
	require.Len(t, a.Agents(), 1, "the agent of before runs on")
	write(agents, strings.ReplaceAll(boundAgent, "PARAMS", "")+"---\n"+strings.NewReplacer("PARAMS", "", "keeper", "second").Replace(boundAgent))
	require.NoError(t, a.Reload(t.Context()))
	require.Len(t, a.Agents(), 2)
	require.NoError(t, a.Stop(t.Context()))
	require.NoError(t, a.Stop(t.Context()))
}
