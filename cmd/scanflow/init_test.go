package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A new repository passes its own checks at once, by ours and by OPA's own commands, and shows a
// decision as soon as it runs.
func TestInitWritesARepositoryThatPassesItsChecks(t *testing.T) {
	t.Parallel()
	name, err := binary()
	require.NoError(t, err)
	for _, agent := range []string{"first", "night-shift", "default"} {
		t.Run(agent, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "repo")
			in := func(dir string, args ...string) string {
				t.Helper()
				c := exec.Command(args[0], args[1:]...)
				c.Dir, c.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(name)+":"+os.Getenv("PATH"))
				out, err := c.CombinedOutput()
				require.NoError(t, err, string(out))
				return string(out)
			}
			require.Contains(t, in(parent, name, "init", "repo", "--name", agent), "8 files written to repo. Next:\n  cd repo\n")
			ci := in(dir, "./ci.sh")
			require.Contains(t, ci, "PASS: 4/4")
			require.Contains(t, ci, "coverage: 100.0%")
			require.Contains(t, ci, "ok: 1 agents")
			require.NotContains(t, ci, "warning", "nothing that ships with it is warned of")
			if agent != "first" {
				return
			}
			require.Contains(t, in(dir, name, "opa", "test", "policies"), "PASS: 4/4")
			in(dir, name, "opa", "check", "--strict", "policies")
			in(dir, name, "opa", "fmt", "--fail", "policies")

			port := fmt.Sprint(freePort(t))
			manifest := filepath.Join(dir, "agents", "first.yaml")
			raw, err := os.ReadFile(manifest)
			require.NoError(t, err)
			require.Contains(t, string(raw), "mode: dry-run")
			require.NoError(t, os.WriteFile(manifest, []byte(strings.ReplaceAll(string(raw), "8282", port)), 0o644))
			begun := time.Now()
			startDaemon(t, "-f", filepath.Join(dir, "agents"), "--policies", filepath.Join(dir, "policies"), "--data", filepath.Join(dir, defaultData), "--listen", "127.0.0.1:"+port)
			require.Eventually(t, func() bool {
				c := exec.Command(name, "decisions", "--limit", "20")
				c.Dir = dir
				out, _ := c.CombinedOutput()
				return strings.Contains(string(out), "dry run  heavy")
			}, 30*time.Second, 50*time.Millisecond)
			require.Less(t, time.Since(begun), time.Minute)

			out, code := scanflow(t, "init", dir)
			require.NotZero(t, code)
			require.Contains(t, out, "is not empty: it holds .github, .gitignore, .scanflow, README.md, agents, 2 more")
		})
	}
}

func TestWhatCIInstalls(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "v1.2.3", "v0.0.0-20261130100000-0123456789ab": "v0.0.0-20261130100000-0123456789ab", strings.Repeat("a", 40): strings.Repeat("a", 40),
		"v1.2.3+dirty": "latest", "devel": "latest", "unknown": "latest", "": "latest",
	} {
		require.Equal(t, want, installable(version), version)
	}
	for built, want := range map[string]string{"go1.26.7": "1.26.7", "go1.27": "1.27", "go1.27.1 X:nodwarf5": "1.27.1", "devel go1.28-abc": "stable"} {
		require.Equal(t, want, goVersion(built), built)
	}
	for word, want := range map[string]string{"repo": "repo", "a b": "'a b'", "it's": `'it'\''s'`, "-x": "'-x'"} {
		require.Equal(t, want, shellWord(word), word)
	}
}
