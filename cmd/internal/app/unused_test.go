package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
)

// The daemon logs settings without effect when it starts, and when its files change.
func TestTheDaemonLogsSettingsWithoutEffect(t *testing.T) {
	dir := t.TempDir()
	agents, policies := filepath.Join(dir, "agents"), filepath.Join(dir, "policies")
	write := func(folder, name, text string) {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		file := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o644))
		require.NoError(t, os.Rename(file+".new", file))
	}
	agent := func(primitives string) {
		write(agents, "keeper.yaml", strings.ReplaceAll(strings.ReplaceAll(boundAgent, "PARAMS", ""), "[webhook]", primitives))
	}
	agent("[webhook, restart]")
	write(policies, "bound.rego", boundPolicy)
	write(policies, "data.json", `{"limits": {"most": 3}}`)
	log := &heard{}
	s, err := start(t, Options{
		Manifests: []string{agents}, Policies: policysource.Source{Paths: []string{policies}}, Data: filepath.Join(dir, "data"),
		Log: hclog.New(&hclog.LoggerOptions{Output: log}),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(t.Context())) }()
	eventually := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { _, _, all := log.last(); return strings.Contains(all, text) }, 30*time.Second, 5*time.Millisecond, text)
	}
	eventually("no rule refers to data.limits, which has no effect")
	eventually("no strategy of this agent proposes restart")
	agent("[webhook, scale]")
	eventually("no strategy of this agent proposes scale")
	write(policies, "data.json", `{"limitz": {"most": 3}}`)
	eventually("no rule refers to data.limitz")
}
