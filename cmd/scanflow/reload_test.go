package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Manifests as a ConfigMap mount has them: -f names a link, and swapping a second link
// changes them.
func TestManifestsBehindLinksAreTakenUp(t *testing.T) {
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	one, two := filepath.Join(s.dir, "..one"), filepath.Join(s.dir, "..two")
	require.NoError(t, os.Rename(s.agents, one))
	require.NoError(t, os.Symlink("..one", s.agents))
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_agent_targets{agent="test/watcher",mode="enforce"} 1`)

	s.agent("second", "  mode: dry-run\n") // through the link, in the folder behind it
	d.metric(`scanflow_agent_targets{agent="test/second",mode="dry-run"} 1`)

	require.NoError(t, os.Mkdir(two, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(two, "watcher.yaml"), []byte(s.read("agents/watcher.yaml")+"  mode: paused\n"), 0o644))
	require.NoError(t, os.Symlink("..two", s.agents+".new"))
	require.NoError(t, os.Rename(s.agents+".new", s.agents))
	d.metric(`scanflow_agent_targets{agent="test/watcher",mode="paused"} 1`)
	d.stop()
}
