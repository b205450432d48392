package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A folder that can't be read is not taken for one without anything in it.
func TestWhatCanNotBeReadIsNotEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) {
		path := filepath.Join(dir, ".scanflow", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	file("journal") // not a folder
	file("local/pods")
	for args, want := range map[string]string{
		"decisions": "the journal in " + filepath.Join(dir, ".scanflow", "journal") + " can't be read: ",
		"pods":      "scanflow: read the records of pods: ",
	} {
		cmd := command(t, strings.Fields(args)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.Error(t, err, args)
		require.True(t, strings.HasPrefix(string(out), "scanflow: "+strings.TrimPrefix(want, "scanflow: ")), "%s:\n%s", args, out)
		require.NotContains(t, string(out), "no scanflow answers", args)
	}
}

func TestACheckWithoutAPlaceForTemporaryFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cmd := command(t, "check", "-f", s.agents, "--policies", s.policies)
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(s.dir, "nowhere"))
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no such file or directory; $TMPDIR has to be a folder that this user may write to\n")
}

func TestALongProblemIsCutOnce(t *testing.T) {
	t.Parallel()
	for columns := 60; columns < 100; columns++ {
		for _, text := range []string{strings.Repeat("x", 1000), strings.Repeat("word ", 200), strings.Repeat("日本", 300)} {
			s := daemonStatus{Health: unhealthy, Now: time.Now(), Problems: []string{text}}
			screen := s.screen("http://a", screenZone{utc: true}, columns)
			_, problems, _ := strings.Cut(screen, "problems\n")
			require.Equal(t, 1, strings.Count(problems, "…"), screen)
		}
	}
}
