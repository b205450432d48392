package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// blockAfter is the first code block of the page after a text.
func blockAfter(t *testing.T, page, text string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, text)
	require.True(t, found, text)
	_, rest, found = strings.Cut(rest, "\n```")
	require.True(t, found, text)
	_, rest, _ = strings.Cut(rest, "\n") // the language
	block, _, found := strings.Cut(rest, "\n```")
	require.True(t, found, text)
	return block + "\n"
}

func operationsPage(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	return string(raw)
}

func TestOperationsPageUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	program, err := binary()
	require.NoError(t, err)
	unit := blockAfter(t, operationsPage(t), "`/etc/systemd/system/scanflow.service`:")
	require.Contains(t, unit, "ExecStart=/usr/local/bin/scanflow run ")
	unit = strings.NewReplacer("/usr/local/bin/scanflow", program).Replace(unit)
	file := filepath.Join(t.TempDir(), "scanflow.service")
	for text, ok := range map[string]bool{unit: true, strings.Replace(unit, "ProtectHome=yes", "ProtectHome=perhaps", 1): false} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
		mistakes := ""
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "scanflow.service:") { // others are of this machine
				mistakes += line
			}
		}
		require.Equal(t, ok, mistakes == "", "%v: %s", err, out)
	}
}

// The commands of the page, on a daemon that writes: the backup is whole, and a start on it goes on.
func TestOperationsPageBackup(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("sqlite3 is not installed")
	}
	page := operationsPage(t)
	s := newSite(t)
	s.data = filepath.Join(s.dir, ".scanflow")
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.metric(`scanflow_refusals_total{agent="test/watcher",by="guards.cooldown"} 1`)
	shell := func(script string) string {
		t.Helper()
		program, err := binary()
		require.NoError(t, err)
		c := exec.CommandContext(t.Context(), "sh", "-ec", script)
		c.Dir, c.Env = s.dir, append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	require.Equal(t, "ok\n", shell(blockAfter(t, page, "## Backup and restore")))
	before := shell("scanflow decisions --json")
	d.kill()
	require.Contains(t, shell(blockAfter(t, page, "To restore,")), "cooldown: ")
	require.Equal(t, before, shell("scanflow decisions --json"))
	d = startDaemon(t, s.args()...)
	d.metric(`scanflow_firings_total{agent="test/watcher",trigger="every"} 2`)
	require.Len(t, s.app.keys(), 1, "the cooldown holds on")
	d.stop()
}
