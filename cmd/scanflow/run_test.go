package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestADaemonSensesDecidesActsAndSaysSo(t *testing.T) {
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	require.JSONEq(t, `{"load": 50}`, s.app.body[0])
	require.Equal(t, "Bearer s3cret-token", s.app.calls[0].Header.Get("Authorization"))
	d.metric(`scanflow_acts_total{agent="test/watcher",dry_run="false",outcome="done",primitive="webhook",strategy="t.call"} 1`)
	d.metric(`scanflow_refusals_total{agent="test/watcher",by="guards.cooldown"} 1`)
	code, _ := d.get("/readyz")
	require.Equal(t, 200, code)
	_, body := d.get("/v1/decisions?target=prod/api")
	require.Contains(t, body, `"verdict":"admitted"`)
	d.stop()
	require.Len(t, s.app.keys(), 1, "cooled down")

	out, code := scanflow(t, "decisions", "--data", s.data, "--json", "--target", "api", "--strategy", "t.call", "--since", "1h", "--verdict", "admitted")
	require.Equal(t, 0, code, out)
	var row struct {
		ID, Verdict, Reason, Identity string
		Rules                         []string
		Outcome                       struct{ Status string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &row), out)
	require.Equal(t, "admitted", row.Verdict)
	require.Equal(t, "done", row.Outcome.Status)
	require.Equal(t, s.app.keys()[0], row.Identity, "what is called is what is journalled")
	require.Equal(t, []string{"Load too high"}, row.Rules, "the rule that fired, by its METADATA")

	doc, code := scanflow(t, "decisions", "--data", s.data, "--document", row.ID)
	require.Equal(t, 0, code, doc)
	file := filepath.Join(s.dir, "doc.json")
	require.NoError(t, os.WriteFile(file, []byte(doc), 0o644))
	out, code = scanflow(t, "eval", "-f", s.agents, "--policies", s.policies, "--input", file)
	require.Equal(t, 0, code, out)
	require.Contains(t, out, `"reason": "too_high"`, "a decision can be made again from its document")
	requireNoSecret(t, s, d)
}

// Never 8: a secret in a document, a log, the journal or a screen.
func requireNoSecret(t *testing.T, s *site, d *daemon) {
	t.Helper()
	require.NotContains(t, d.text(), "s3cret-token")
	require.NoError(t, filepath.WalkDir(s.data, func(name string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		if e.Type().IsRegular() {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(raw), "s3cret-token", name)
		}
		return nil
	}))
}

// Never 4, and defect 8: kill -9 between an intent and its outcome. The next start
// goes on under the same identity, so that the receiver acts once.
func TestKillBetweenIntentAndOutcome(t *testing.T) {
	kills := 5
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 200
	}
	s := newSite(t)
	s.app.hold = make(chan struct{})
	for range kills {
		before := len(s.app.keys())
		d := startDaemon(t, s.args()...)
		s.calls(before + 1)
		d.kill()
	}
	close(s.app.hold)
	d := startDaemon(t, s.args()...)
	d.metric(`outcome="done",primitive="webhook",strategy="t.call"} 1`)
	d.stop()
	keys := s.app.keys()
	for _, k := range keys {
		require.Equal(t, keys[0], k, "one act, however often the process was killed")
	}
	out, _ := scanflow(t, "decisions", "--data", s.data, "--json", "--verdict", "admitted")
	require.Equal(t, 1, strings.Count(out, "\n"), out)
	require.Contains(t, out, `"status":"done"`)
}

func TestShutdownWithinItsTimeWhileAnActHangs(t *testing.T) {
	s := newSite(t)
	s.app.hold = make(chan struct{})
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.stop()
	close(s.app.hold)
	d = startDaemon(t, s.args()...)
	keys := s.calls(2)
	require.Equal(t, keys[0], keys[1], "handed over under its identity")
	d.stop()
}

func TestASecondDaemonOnOneJournalRefusesToStart(t *testing.T) {
	s := newSite(t)
	startDaemon(t, s.args()...)
	d := launch(t, s.args()...)
	require.Eventually(t, d.ended, 20*time.Second, 5*time.Millisecond)
	require.Error(t, <-d.exit)
	require.Contains(t, d.text(), filepath.Join(s.data, "journal"))
	require.Contains(t, d.text(), "in use")
}

// Defect 5 of the published system, in the daemon: a broken rule module was
// swallowed, and the agent ran on without its rules.
func TestDefect5ABrokenPolicyIsLoudAndTheOldOneRunsOn(t *testing.T) {
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	d := startDaemon(t, s.args()...)
	broken := 0
	for name, text := range map[string]string{
		"policies/call.rego":      "package scanflow.strategies.t.call\n\npropose contains",
		"policies/call_test.rego": strings.ReplaceAll(callTest, "== 1", "== 2"),
	} {
		broken++
		s.write(name, text)
		d.metric("scanflow_policy_last_reload_successful 0")
		d.saidAgain("policies refused, the old ones stay", broken)
		s.write("policies/call.rego", callPolicy)
		s.write("policies/call_test.rego", callTest)
		d.metric("scanflow_policy_last_reload_successful 1")
	}
	require.NoError(t, os.Remove(filepath.Join(s.policies, "call_test.rego")))
	d.saidAgain("policies live", 2)
	s.write("policies/call.rego", strings.ReplaceAll(callPolicy, "t.call", "t.other"))
	d.said(`no strategy \"t.call\" in the policies`)
	s.app.set(`{"load": 50}`)
	s.calls(1)
	_, body := d.get("/v1/decisions?limit=1")
	require.Contains(t, body, `"refused":true,"successes":`, "a decision says that a later change was refused")

	s.write("policies/call.rego", strings.ReplaceAll(callPolicy, "too_high", "much_too_high"))
	d.saidAgain("policies live", 3)
	require.Eventually(t, func() bool {
		_, body := d.get("/v1/decisions?limit=1")
		return strings.Contains(body, `"reason":"much_too_high"`) && strings.Contains(body, `"refused":false`)
	}, 20*time.Second, 10*time.Millisecond, "and the new one decides")
	d.stop()
}

func TestManifestsAreTakenUpAndBadOnesRefusedAsAWhole(t *testing.T) {
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	d := startDaemon(t, s.args()...)
	s.agent("second", "  mode: dry-run\n")
	d.metric(`scanflow_agent_targets{agent="test/second",mode="dry-run"} 1`)
	for i, bad := range []struct{ text, says string }{
		{"  moode: paused\n", "spec.moode: unknown field"},
		{"  role: [1]\n", "spec.role"},
		{"---\n" + s.read("agents/watcher.yaml"), "test/watcher"},
	} {
		s.agent("second", bad.text)
		d.saidAgain("manifests refused, the old ones run on", i+1)
		d.said(bad.says)
		d.metric("scanflow_manifest_last_reload_successful 0")
		d.metric(`scanflow_agent_targets{agent="test/second",mode="dry-run"} 1`)
	}
	s.agent("second", "  mode: dry-run\n")
	d.said("manifests are again what they were")
	s.write("agents/second.yaml", strings.ReplaceAll(s.read("agents/watcher.yaml"), "HOOK_TOKEN", "NOT_SET"))
	d.saidAgain("manifests refused, the old ones run on", 4)
	s.agent("second", "  mode: paused\n")
	d.metric(`scanflow_agent_targets{agent="test/second",mode="paused"} 1`)
	require.NoError(t, os.Remove(filepath.Join(s.agents, "second.yaml")))
	require.Eventually(t, func() bool { _, body := d.get("/metrics"); return !strings.Contains(body, "test/second\",mode") }, 20*time.Second, 10*time.Millisecond)
	s.app.set(`{"load": 50}`)
	s.calls(1)
	d.stop()
}

// A manifest and the strategy that it names are saved one after the other; whatever
// is seen first, both are taken up, and the old pair runs until then.
func TestAnAgentAndItsStrategySavedTogetherAreBothTakenUp(t *testing.T) {
	for name, order := range map[string][]string{
		"the manifest first": {"agent", "policy"},
		"the policy first":   {"policy", "agent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.app.set(`{"load": 5}`)
			d := startDaemon(t, s.args()...)
			for _, step := range order {
				if step == "agent" {
					s.write("agents/watcher.yaml", strings.ReplaceAll(s.read("agents/watcher.yaml"), "t.call", "t.another"))
				} else {
					require.NoError(t, os.Remove(filepath.Join(s.policies, "call_test.rego")))
					s.write("policies/call.rego", another)
				}
				d.said("refused") // seen, and not fit by itself
			}
			d.said("manifests taken up")
			d.metric("scanflow_policy_last_reload_successful 1")
			d.metric("scanflow_manifest_last_reload_successful 1")
			require.Equal(t, 1, strings.Count(d.text(), "manifests taken up"), d.text())
			s.app.set(`{"load": 50}`)
			s.calls(1)
			_, body := d.get("/v1/decisions?limit=1")
			require.Contains(t, body, `"strategy":"t.another"`)
			d.stop()
		})
	}
}

func TestABundleIsRunAndReplaced(t *testing.T) {
	s := newSite(t)
	bundle := filepath.Join(s.dir, "bundle.tar.gz")
	build := func() {
		s.t.Helper()
		out, code := scanflow(t, "opa", "build", "-b", s.policies, "-o", bundle+".new")
		require.Equal(t, 0, code, out)
		require.NoError(t, os.Rename(bundle+".new", bundle))
	}
	s.write("policies/.manifest", `{"roots": ["scanflow"], "rego_version": 1}`)
	build()
	s.app.set(`{"load": 5}`)
	d := startDaemon(t, "-f", s.agents, "--policies", bundle, "--data", s.data)
	s.write("policies/call.rego", strings.ReplaceAll(callPolicy, "too_high", "much_too_high"))
	build()
	d.saidAgain("policies live", 2)
	s.app.set(`{"load": 50}`)
	s.calls(1)
	_, body := d.get("/v1/decisions?limit=1")
	require.Contains(t, body, `"reason":"much_too_high"`)
	require.NoError(t, os.WriteFile(bundle+".new", []byte("no bundle"), 0o644))
	require.NoError(t, os.Rename(bundle+".new", bundle))
	d.metric("scanflow_policy_last_reload_successful 0")
	d.stop()
}

// A sender must not have what the API's own token opens.
func TestASenderWithTheTokenOfTheAPIIsRefusedAtTheStart(t *testing.T) {
	s := newSite(t)
	s.write("token", "s3cret-token\n")
	s.write("senders.yaml", "senders: [{name: grafana, bearerToken: {file: "+s.dir+"/token}}]\n")
	out, code := scanflow(t, append([]string{"run"}, s.args("--token-file", s.dir+"/token", "--senders", s.dir+"/senders.yaml")...)...)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "--senders: "+s.dir+"/senders.yaml: bearerToken of grafana: is that of --token-file, which opens the whole API; give the sender one of its own")
	require.NotContains(t, out, "s3cret-token")
	require.NoDirExists(t, s.data, "nothing was begun")
}

func TestTheTokenOpensTheAPI(t *testing.T) {
	s := newSite(t)
	s.write("token", "s3cret-token\n")
	d := startDaemon(t, s.args("--listen", "0.0.0.0:0", "--token-file", filepath.Join(s.dir, "token"))...)
	d.url = strings.Replace(d.url, "[::]", "127.0.0.1", 1)
	code, _ := d.get("/v1/agents")
	require.Equal(t, http.StatusUnauthorized, code)
	code, _ = d.get("/readyz")
	require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, code)
	req, err := http.NewRequest(http.MethodGet, d.url+"/v1/agents", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer s3cret-token")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	d.stop()
	requireNoSecret(t, s, d)
}

func TestASignalThatIsNotANumberNeverActs(t *testing.T) {
	s := newSite(t)
	for answer, state := range map[string]string{
		`{"load": "50"}`: "error", `{"load": null}`: "empty", `{"lod": 50}`: "empty", `<html>50</html>`: "error", ``: "error", `{"load": 50`: "error",
	} {
		s.app.set(answer)
		d := startDaemon(t, s.args()...)
		d.metric(`scanflow_firings_total{agent="test/watcher",trigger="every"} 3`)
		d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="` + state + `"} 1`)
		d.stop()
		require.Empty(t, s.app.keys(), answer)
	}
}

// Never 6: one slow agent holding up another.
func TestAnAgentWhoseSensorHangsHoldsUpNoOther(t *testing.T) {
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	hangs := newApp(t)
	hangs.hold = make(chan struct{})
	defer close(hangs.hold)
	hangs.mu.Lock() // GET waits for it
	s.write("agents/stuck.yaml", strings.ReplaceAll(s.read("agents/watcher.yaml"), s.app.URL, hangs.URL))
	s.write("agents/stuck.yaml", strings.ReplaceAll(s.read("agents/stuck.yaml"), "name: watcher", "name: stuck"))
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_signals{agent="test/stuck",signal="load",state="error"} 1`)
	_, before := d.get("/metrics")
	require.Eventually(t, func() bool { _, now := d.get("/metrics"); return firings(now) > firings(before)+5 }, 20*time.Second, 10*time.Millisecond)
	s.app.set(`{"load": 50}`)
	s.calls(1)
	require.Empty(t, hangs.calls)
	hangs.mu.Unlock()
	d.stop()
}

// firings is a line of the metrics that only grows.
func firings(metrics string) int {
	for line := range strings.Lines(metrics) {
		if rest, is := strings.CutPrefix(line, `scanflow_firings_total{agent="test/watcher",trigger="every"} `); is {
			n := 0
			for _, c := range strings.TrimSpace(rest) {
				n = 10*n + int(c-'0')
			}
			return n
		}
	}
	return 0
}
