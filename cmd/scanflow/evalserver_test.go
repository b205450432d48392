package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A running daemon says what it would decide now, with the cooldown that runs and the memory of
// what it did; and what edited policies would decide on the same.
func TestEvalAsksARunningDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set(`{"load": 50}`)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.said(`"outcome":"done"`)
	one := func(args ...string) evalOutput {
		t.Helper()
		out, errs := evals(t, args...)
		var got evalOutput
		require.NoError(t, json.Unmarshal([]byte(out), &got), out+errs)
		require.Len(t, got.Decisions, 1)
		return got
	}
	got := one("--server", d.url, "--agent", "watcher", "--target", "prod/api")
	require.Equal(t, engine.Refused, got.Decisions[0].Verdict)
	require.Equal(t, "guards.cooldown", got.Decisions[0].By)
	doc, err := engine.ReadDocument(got.Document)
	require.NoError(t, err)
	require.Equal(t, engine.Done, doc.Memory["t.call"].Last["webhook"].Outcome)
	require.Equal(t, got.Decisions[0].Detail, one("--server=" + d.url).Decisions[0].Detail, "the only agent")

	edit := filepath.Join(s.dir, "edit")
	require.NoError(t, os.CopyFS(edit, os.DirFS(s.policies)))
	s.write("edit/call.rego", strings.ReplaceAll(s.read("policies/call.rego"), `"reason": "`, `"reason": "edited_`))
	edited := one("--server", d.url, "--agent", "test/watcher", "--policies", edit).Decisions[0]
	require.Equal(t, "guards.cooldown", edited.By, "the cooldown of the running agent counts")
	require.True(t, strings.HasPrefix(edited.Reason, "edited_"), edited.Reason)
	require.Nil(t, edited.Document, "it is there once, beside the decisions")

	s.write("edit/call.rego", strings.ReplaceAll(s.read("policies/call.rego"), "signals.load", "signals.laod"))
	out, code := scanflow(t, "eval", "--server", d.url, "--policies", edit)
	require.NotZero(t, code)
	require.Contains(t, out, "laod", "an edit is held against the running agent's document")
	require.Len(t, s.app.keys(), 1, "nothing was done")
}

func TestEvalOfARunningDaemonSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.agent("second", "")
	d := startDaemon(t, s.args()...)
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"which agent":     {[]string{"--server", d.url}, "agent: name one of test/second, test/watcher"},
		"no such agent":   {[]string{"--server", d.url, "--agent", "watchr"}, `no agent "watchr" runs here; there are test/second, test/watcher`},
		"no such target":  {[]string{"--server", d.url, "--agent", "watcher", "--target", "prod/apy"}, `no target "prod/apy" among the 1 of the agent`},
		"manifests too":   {[]string{"--server", d.url, "-f", s.agents}, "--file: has no effect with --server"},
		"a document too":  {[]string{"--server", d.url, "--input", "x"}, "--input: has no effect with --server"},
		"two addresses":   {[]string{"--server=" + d.url, d.url}, "--server takes one address"},
		"no --server":     {[]string{d.url, "-f", s.agents}, "manifests are given with -f"},
		"a token for it":  {[]string{"-f", s.agents, "--token-file", "x"}, "--token-file: goes with --server"},
		"nobody answers":  {[]string{"--server", "http://127.0.0.1:1", "--agent", "a"}, "no scanflow answers at 127.0.0.1:1"},
		"nothing to eval": {nil, "no agents given"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := scanflow(t, append([]string{"eval"}, row.args...)...)
			require.NotZero(t, code, out)
			require.Contains(t, out, row.want)
		})
	}
	code, body := d.get("/v1/preview?agent=watcher&state=maybe")
	require.Equal(t, 400, code, body)
}
