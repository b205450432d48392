package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A running scanflow and its folder give the same answers, and the shell completes their names.
func TestAnOperatorLooksAtARunningDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.metric(`outcome="done",primitive="webhook",strategy="t.call"} 1`)
	d.metric(`scanflow_refusals_total{agent="test/watcher",by="guards.cooldown"} 1`)
	said := func(want int, args ...string) string {
		t.Helper()
		out, code := scanflow(t, args...)
		require.Equal(t, want, code, "%v:\n%s", args, out)
		return out
	}
	list := said(0, "decisions", "--data", s.data)
	require.Regexp(t, `^time \([A-Z]+\)  id +target    act +result   why\n─`, list)
	require.Regexp(t, `(?m)^\d\d:\d\d:\d\d +\d+/0 +prod/api +webhook \S+… +refused +cooldown: `, list)
	id := regexp.MustCompile(`\b\d+/0\b`).FindString(list)
	for _, args := range [][]string{
		{}, {"--wide", "--utc"}, {"--json"}, {"--problems"}, {"--problems", "--json"}, {id}, {id, "--json"}, {"--document", id}, {"--agent", "watcher", "--verdict", "admitted", "--json"},
		{"--verdict", "failed"}, {"--limit", "1", "--json"}, {"--limit", "0", "--json"}, {"--target", "api", "--strategy", "t.call", "--verb", "webhook", "--since", "1h", "--wide"},
	} {
		ofFolder := said(0, append([]string{"decisions", "--data", s.data}, args...)...)
		require.Equal(t, ofFolder, said(0, append([]string{"decisions", "--server", d.url}, args...)...), args)
	}
	var row struct{ Identity string }
	require.NoError(t, json.Unmarshal([]byte(said(0, "decisions", "--data", s.data, "--verdict", "admitted", "--limit", "1", "--json")), &row))
	for _, from := range [][]string{{"--data", s.data}, {"--server", d.url}} {
		require.Contains(t, said(0, append([]string{"decisions", row.Identity}, from...)...), "  identity  "+row.Identity+"\n")
		require.Contains(t, said(0, append([]string{"decisions", "--document", row.Identity}, from...)...), `"now_ns":`)
		require.Contains(t, said(1, append([]string{"decisions", strings.Repeat("0", 32)}, from...)...), "no decision has the act 0000")
	}
	for args, want := range map[string]string{
		"decisions --data x --server y":       "--data reads a folder, and --server is for asking a running scanflow: pass one of them",
		"workflows --data x --token-file y":   "--data reads a folder, and --token-file is for",
		"decisions 1/0 --verb scale":          "--verb: has no effect with an ID",
		"decisions --document 1/0 --limit 3":  "--limit: has no effect with --document",
		"decisions --problems --target api":   "--target: has no effect with --problems",
		"decisions --json --wide":             "--wide: has no effect with --json",
		"decisions --follow --until 1h":       "--until: has no effect with --follow",
		"decisions --verdict done":            "none of admitted, refused, unchanged, waiting, failed",
		"decisions --agent nobody --data D":   "--agent: there is no agent nobody; there are test/watcher",
		"decisions --agent nobody --server S": "--agent: there is no agent nobody; there are test/watcher",
		"decisions 999/0 --data D":            "decision 999/0: ",
		"decisions 999/0 --server S":          "not found: decision 999/0",
		"decisions --document 7 --server S":   "an id is FIRING/NUMBER",
		"approvals --agent nobody --server S": "--agent: there is no agent nobody; there are test/watcher",
		"events --agent nobody --server S":    "--agent: there is no agent nobody; there are test/watcher",
	} {
		words := strings.Fields(args)
		for i, word := range words {
			words[i] = strings.NewReplacer("D", s.data, "S", d.url).Replace(word)
			if len(word) > 1 {
				words[i] = word
			}
		}
		require.Contains(t, said(1, words...), want, args)
	}

	for args, want := range map[string]string{
		"decisions --agent te":              "test/watcher\n",
		"decisions --target ":               "prod/api\n",
		"decisions --strategy ":             "t.call\n",
		"decisions --verb w":                "webhook\n",
		"decisions --verdict ":              "admitted\nrefused\nunchanged\nwaiting\nfailed\n",
		"decisions --document " + id[:1]:    "\n" + id + "\n",
		"decisions " + id[:1]:               "\n" + id + "\n",
		"approvals --agent ":                "test/watcher\n",
		"events --agent ":                   "test/watcher\n",
		"events --box ":                     "inbox\noutbox\ndead\n",
		"eval -f " + s.agents + " --agent ": "test/watcher\n",
		"run --log-level w":                 "warn\n",
		"approve ":                          ":4\n",
		"events resend ":                    ":4\n",
		"workflows show ":                   ":4\n",
	} {
		words := strings.Split(args, " ")
		if words[0] != "eval" && words[0] != "run" {
			words = append(append(words[:len(words)-1:len(words)-1], "--server", d.url), words[len(words)-1])
			if last := words[len(words)-4]; strings.HasPrefix(last, "--") { // the flag that is completed comes last
				words = append(append(words[:len(words)-4:len(words)-4], words[len(words)-3:len(words)-1]...), last, words[len(words)-1])
			}
		}
		got := "\n" + said(0, append([]string{"__complete"}, words...)...)
		require.Contains(t, got, want, args)
		require.NotContains(t, got, "scanflow:", args)
	}
	silent := said(0, "__complete", "decisions", "--server", "http://127.0.0.1:1", "--agent", "")
	require.True(t, strings.HasPrefix(silent, ":4\n"), silent)
	for _, command := range []string{"status", "claims", "approvals", "pods", "version"} { // without arguments
		silent = said(0, "__complete", command, "")
		require.True(t, strings.HasPrefix(silent, ":4\n"), "%s: %s", command, silent)
	}
	silent = said(0, "__complete", "workflows", "show", "")
	require.NotContains(t, silent, "scanflow:")

	screen := said(0, "status", "--server", d.url, "--utc")
	require.Regexp(t, `(?m)\AHEALTHY  scanflow at `+d.url+`, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$`, screen)
	require.Regexp(t, `(?m)^waits      0 approvals, 0 events in inboxes, 0 on the way, 0 dead$`, screen)
	require.Regexp(t, `(?m)^test/watcher  enforce        1  .* ago +\S+ +0$`, screen)
	var status daemonStatus
	require.NoError(t, json.Unmarshal([]byte(said(0, "status", "--server", d.url, "--json")), &status))
	require.Equal(t, healthy, status.Health)

	s.write("policies/call.rego", "no policy")
	d.said("policies refused")
	screen = said(2, "status", "--server", d.url)
	require.Contains(t, screen, "UNHEALTHY  ")
	require.Contains(t, screen, "- policies refused, revision ")
	code, body := d.get("/")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "read    /v1/decisions/{firing}/{index}/document")
	d.stop()
	require.Contains(t, said(4, "status", "--server", d.url), "no scanflow answers at ")
}

// --follow prints what comes, each once, until it is interrupted.
func TestDecisionsAreFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.metric(`scanflow_refusals_total{agent="test/watcher",by="guards.cooldown"} 1`)
	for _, from := range [][]string{{"--data", s.data}, {"--server", d.url}} {
		cmd := command(t, append([]string{"decisions", "--follow", "--json"}, from...)...)
		file, err := os.Create(filepath.Join(t.TempDir(), "out"))
		require.NoError(t, err)
		cmd.Stdout, cmd.Stderr = file, file
		out := func() string {
			raw, err := os.ReadFile(file.Name())
			require.NoError(t, err)
			return string(raw)
		}
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return strings.Contains(out(), `"verdict":"refused"`) }, 20*time.Second, 10*time.Millisecond, "what was there")
		before := strings.Count(out(), "\n")
		bound := "reason_of" + strings.ReplaceAll(from[0], "-", "_")
		s.write("policies/call.rego", strings.Replace(callPolicy, "too_high", bound, 1))
		require.Eventually(t, func() bool { return strings.Contains(out(), bound) }, 30*time.Second, 10*time.Millisecond, "what is new")
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait())
		seen := map[string]bool{}
		for line := range strings.Lines(out()) {
			var row struct{ ID string }
			require.NoError(t, json.Unmarshal([]byte(line), &row), line)
			require.False(t, seen[row.ID], "twice: %s", line)
			seen[row.ID] = true
		}
		require.Greater(t, len(seen), before)
	}
	d.stop()
}

// --follow of a running scanflow outlives it, and goes on with what its successor decides.
func TestDecisionsAreFollowedOverARestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	cmd := command(t, "decisions", "--follow", "--json", "--server", d.url)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	notices, err := os.Create(filepath.Join(t.TempDir(), "notices"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = out, notices
	require.NoError(t, cmd.Start())
	text := func(of *os.File) string {
		raw, err := os.ReadFile(of.Name())
		require.NoError(t, err)
		return string(raw)
	}
	says := func(of *os.File, what string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(text(of), what) }, 30*time.Second, 10*time.Millisecond, what)
	}
	says(out, `"verdict":"refused"`)
	d.kill()
	says(notices, "asked again until it answers\n")
	s.write("policies/call.rego", strings.Replace(callPolicy, "too_high", "after_the_restart", 1))
	d = startDaemon(t, s.args("--listen", strings.TrimPrefix(d.url, "http://"))...)
	says(notices, "scanflow answers again\n")
	says(out, "after_the_restart")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
	require.Equal(t, 2, strings.Count(text(notices), "\n"), text(notices))
	d.stop()
}
