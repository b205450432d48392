package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// fenced returns the blocks of a section of a page, in a language.
func fenced(t *testing.T, file, section, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/" + file)
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	require.True(t, found, section)
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	for i, block := range strings.Split("\n"+text, "\n```") {
		if first, rest, _ := strings.Cut(block, "\n"); i%2 == 1 && first == language {
			out = append(out, rest+"\n")
		}
	}
	return out
}

// indented is an item of a list of sensors.
func indented(item string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(item), "\n", "\n    ")
}

// signalsOf returns the signals of the first document that eval printed.
func signalsOf(t *testing.T, out string) map[string]map[string]any {
	t.Helper()
	var doc struct {
		Document struct{ Signals map[string]map[string]any }
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(out)).Decode(&doc))
	return doc.Document.Signals
}

// The page on sensors shows what eval prints of signals by a label.
func TestSensorsPageShowsSignalsByALabel(t *testing.T) {
	t.Parallel()
	const section = "A number for each value of a label"
	s := newSite(t)
	var samples []promengine.Sample
	for version, n := range map[string]float64{"v1": 3, "v2": 0} {
		for _, name := range []string{"errors", "requests"} {
			samples = append(samples, promengine.Sample{Labels: map[string]string{"__name__": name, "namespace": "prod", "deployment": "api", "version": version}, At: time.Now(), Value: n})
		}
	}
	server := metricsServer(t, "", samples...)
	s.sensing("{static: [{name: api, namespace: prod}]}", indented(fenced(t, "sensors.md", section, "yaml")[0])+`
    - {name: share, prometheus: {query: "sum by (namespace, deployment, version) (errors) / sum by (namespace, deployment, version) (requests)", by: version}}`)
	out, errs := evals(t, "-f", s.agents, "--policies", s.policies, "--prometheus", server)
	signals := signalsOf(t, out)
	var shown string
	for i, name := range []string{"errors", "share"} {
		session := fenced(t, "sensors.md", section, "")[i]
		shown += session
		lines := strings.Split(strings.TrimSpace(session), "\n")
		var want map[string]any
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &want))
		for key, value := range want {
			require.Equal(t, value, signals[name][key], "%s of %s", key, name)
		}
	}
	require.NotEmpty(t, errs)
	require.Contains(t, shown, errs)
}

// The strategy of the page acts in a daemon, on looks that cover the span.
func TestStrategiesPageActsOnSeveralLooks(t *testing.T) {
	t.Parallel()
	const section = "For three looks"
	s := newSite(t)
	sensor := strings.ReplaceAll(fenced(t, "strategies.md", section, "yaml")[0], "http://127.0.0.1:8080", s.app.URL)
	s.write("policies/call.rego", "package scanflow.strategies.t.call\n\n"+fenced(t, "strategies.md", section, "rego")[0])
	s.write("policies/call_test.rego", "package scanflow.strategies.t.call_test\n\ntest_nothing if true\n")
	agent := func(over string) {
		s.write("agents/watcher.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: watcher, namespace: test}
spec:
  targets: {static: [{name: api, namespace: prod}]}
  triggers: [{name: tick, every: %s}]
  sensors:
%s
  strategies: [t.call]
  primitives: [webhook]
  params: {bound: 20, url: %q}
  credentials: [{url: %q, bearerToken: {env: HOOK_TOKEN}}]
  guards: {cooldown: {webhook: 1h}}
`, map[bool]string{true: "10s", false: "100ms"}[over == "20s"], indented(strings.ReplaceAll(sensor, "over: 20s", "over: "+over)), s.app.URL+"/call", s.app.URL))
	}
	agent("20s")
	_, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	require.Equal(t, 1, strings.Count(fenced(t, "strategies.md", section, "")[0], errs), errs)

	agent("1s")
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.stop()
	run := func(args ...string) string {
		var out bytes.Buffer
		c := command(t, append([]string{"decisions", "--data", s.data}, args...)...)
		c.Stdout = &out
		require.NoError(t, c.Run())
		return out.String()
	}
	var act struct{ ID string }
	require.NoError(t, json.NewDecoder(strings.NewReader(run("--json", "--verdict", "admitted"))).Decode(&act))
	var doc struct{ Signals map[string]map[string]any }
	require.NoError(t, json.Unmarshal([]byte(run("--document", act.ID)), &doc))
	held := doc.Signals["load"]["sustained"].(map[string]any)
	require.Equal(t, 50.0, held["min"])
	require.Equal(t, 50.0, held["avg"])
	require.GreaterOrEqual(t, held["samples"], 3.0)
	require.GreaterOrEqual(t, held["span_ns"], 1e9)
	require.GreaterOrEqual(t, held["above_ns"], 1e9)
}
