package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// evals runs scanflow eval in an empty folder, and keeps what it prints apart.
func evals(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := command(t, append([]string{"eval"}, args...)...)
	c.Dir, c.Stdout, c.Stderr = t.TempDir(), &out, &errs
	require.NoError(t, c.Run(), errs.String())
	left, err := os.ReadDir(c.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "eval writes nothing")
	return out.String(), errs.String()
}

// sensing is an agent with these targets and sensors, whose strategy proposes nothing.
func (s *site) sensing(targets, sensors string) {
	s.write("policies/call_test.rego", "package scanflow.strategies.t.call_test\n\ntest_nothing if true\n")
	s.write("policies/call.rego", `package scanflow.strategies.t.call

propose contains {"primitive": "webhook", "with": {"url": "http://127.0.0.1:1"}, "reason": "never", "because": []} if input.target.name == "nobody"
`)
	s.write("agents/watcher.yaml", `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: watcher, namespace: test}
spec:
  targets: `+targets+`
  triggers: [{name: tick, every: 100ms}]
  sensors:
`+sensors+`
  strategies: [t.call]
  primitives: [webhook]
`)
}

const twoTargets = "{static: [{name: api, namespace: prod}, {name: web, namespace: prod}]}"

func TestEvalSaysWhyASignalIsNotOK(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set("load 50\n")
	closed := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s.sensing(twoTargets, fmt.Sprintf(`
    - {name: load, scrape: {url: %q, metric: load}}
    - {name: other, scrape: {url: %q, metric: other}}
    - {name: shut, scrape: {url: "http://%s/{name}?key=s3cret", metric: load}}
    - {name: query, prometheus: {address: "http://%[3]s", query: up}}`, s.app.URL, s.app.URL, closed))

	out, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	refused := "dial tcp " + closed + ": connect: connection refused"
	require.Equal(t, `problem: sensor query: query Prometheus: http://`+closed+`/api/v1/query: `+refused+`
signal other of prod/api: empty: no page has a sample of other
signal shut of prod/api: error: http://`+closed+`/api: `+refused+`
signal other of prod/web: empty: no page has a sample of other
signal shut of prod/web: error: http://`+closed+`/web: `+refused+`
`, errs, "what failed as a whole once, the others by target and in the agent's order, and no secret")
	require.NotContains(t, out, "refused", "the document is as it was")

	_, errs = evals(t, "-f", s.agents, "--policies", s.policies, "--target", "prod/web")
	require.Contains(t, errs, "\nsignal other: empty: no page has a sample of other\nsignal shut: error: ")
	require.NotContains(t, errs, "prod/api")

	// What it printed can be decided on again, and comes out the same.
	dec, file := json.NewDecoder(bytes.NewReader([]byte(out))), filepath.Join(s.dir, "doc.json")
	var first, again evalOutput
	require.NoError(t, dec.Decode(&first))
	require.NoError(t, os.WriteFile(file, first.Document, 0o600))
	out, errs = evals(t, "-f", s.agents, "--policies", s.policies, "--input", file)
	require.Empty(t, errs)
	require.NoError(t, json.Unmarshal([]byte(out), &again))
	require.JSONEq(t, string(first.Document), string(again.Document))
}

// As the page on operation shows it.
func TestEvalSaysHowManySamplesWereTooFew(t *testing.T) {
	t.Parallel()
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"namespace":"prod","deployment":"api","class":"a"},"value":[1795480705,"3"]},
			{"metric":{"namespace":"prod","deployment":"api","class":"b"},"value":[1795480705,"4"]}]}}`)
	}))
	defer prometheus.Close()
	s := newSite(t)
	closed := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s.sensing(twoTargets, `
    - {name: load, scrape: {url: "http://`+closed+`/metrics", metric: load}}
    - {name: drift, drift: {query: 'sum by (namespace, deployment, class) (increase(x[1h]))', bins: class, reference: {shares: {a: 0.5, b: 0.5}}}}`)
	_, errs := evals(t, "-f", s.agents, "--policies", s.policies, "--prometheus", prometheus.URL)
	page, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	require.Contains(t, errs, "signal drift of prod/api: empty: 7 samples are too few to tell; minSamples is 100\n")
	require.Contains(t, string(page), "http://127.0.0.1:9090 > now.json\n"+strings.ReplaceAll(errs, closed, "127.0.0.1:9099")+"```\n")
}

func TestEvalTakesTargetsFromWorkloads(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("workloads/digits.yaml", classifier)
	s.write("policies/three.rego", `package scanflow.strategies.t.three

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "more", "because": ["ready"]} if {
	input.signals.ready.state == "empty"
	input.target.replicas == {"desired": 2, "ready": 0}
}
`)
	s.write("agents/watcher.yaml", scaler)
	s.write("policies/three_test.rego", "package scanflow.strategies.t.three_test\n\ntest_nothing if true\n")
	out, code := scanflow(t, "eval", "-f", s.agents, "--policies", s.policies)
	require.NotZero(t, code)
	require.Contains(t, out, "start with --workloads DIR")

	out, errs := evals(t, "-f", s.agents, "--policies", s.policies, "--workloads", filepath.Join(s.dir, "workloads"))
	require.Equal(t, "signal ready: empty: the orchestrator runs no such workload\n", errs)
	var got evalOutput
	require.NoError(t, json.Unmarshal([]byte(out), &got), out)
	var doc struct {
		Target map[string]any
	}
	require.NoError(t, json.Unmarshal(got.Document, &doc))
	require.Equal(t, map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "test", "name": "digits", "labels": map[string]any{"app": "digits"},
		"replicas": map[string]any{"desired": 2.0, "ready": 0.0}, "placement": []any{},
	}, doc.Target)

	s.write("workloads/digits.yaml", "kind: Deployment\n")
	out, code = scanflow(t, "eval", "-f", s.agents, "--policies", s.policies, "--workloads", filepath.Join(s.dir, "workloads"))
	require.NotZero(t, code)
	require.Contains(t, out, "digits.yaml:1", "a mistake has its place")
}

// A verb that a preview can't plan is said to be one, and not to be missing.
func TestEvalSaysWhatItCannotPlan(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("workloads/digits.yaml", classifier)
	s.write("policies/three.rego", `package scanflow.strategies.t.three

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "more", "because": []} if input.target.replicas.desired == 2
`)
	s.write("policies/three_test.rego", "package scanflow.strategies.t.three_test\n\ntest_nothing if true\n")
	s.write("agents/watcher.yaml", scaler)
	out, _ := evals(t, "-f", s.agents, "--policies", s.policies, "--workloads", filepath.Join(s.dir, "workloads"))
	var got evalOutput
	require.NoError(t, json.Unmarshal([]byte(out), &got), out)
	require.Len(t, got.Decisions, 1)
	require.Equal(t, engine.NotPlanned, got.Decisions[0].Verdict)
	require.Empty(t, got.Decisions[0].By, "it is no refusal")
	require.Contains(t, got.Decisions[0].Detail, "not planned here: every guard admits it; eval looks at no workloads")
}

func TestEvalLooksAtModelDebuggingOnALaptop(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../deploy/modeldebug")
	require.NoError(t, err)
	closed := fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	for _, agent := range []string{"tracker", "checker", "planner", "executor"} {
		out, errs := evals(t, "-f", filepath.Join(root, "agents"), "--workloads", filepath.Join(root, "workloads"), "--agent", "digits/"+agent,
			"--mlflow", closed, "--prometheus", closed)
		require.Contains(t, out, `"name": "digits"`)
		require.Contains(t, errs, "connection refused")
	}
}

// A look of eval is no span: what a rule on sustained waits for is said.
func TestEvalSaysThatSustainedCoversNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set("load 50\n")
	s.sensing(twoTargets, fmt.Sprintf(`
    - {name: load, scrape: {url: %q, metric: load}, sustained: {over: 1m, above: 20}}
    - {name: gone, scrape: {url: %[1]q, metric: gone}, sustained: {over: 1m}}
    - {name: now, scrape: {url: %[1]q, metric: load}}`, s.app.URL))
	out, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	require.Equal(t, `signal load: sustained covers nothing yet, and has no min, max and avg: eval remembers no samples, and over is 1m0s
signal gone of prod/api: empty: no page has a sample of gone
signal gone of prod/web: empty: no page has a sample of gone
`, errs)
	var first evalOutput
	require.NoError(t, json.NewDecoder(strings.NewReader(out)).Decode(&first))
	var doc struct{ Signals map[string]map[string]any }
	require.NoError(t, json.Unmarshal(first.Document, &doc))
	require.Equal(t, map[string]any{"above_ns": 0.0, "samples": 1.0, "span_ns": 0.0}, doc.Signals["load"]["sustained"])
	require.Equal(t, 1, strings.Count(string(first.Document), `"sustained"`))

	file := filepath.Join(s.dir, "doc.json")
	require.NoError(t, os.WriteFile(file, first.Document, 0o600))
	_, errs = evals(t, "-f", s.agents, "--policies", s.policies, "--input", file)
	require.Empty(t, errs, "a document that is given says itself what was sampled")
}
