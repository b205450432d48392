package sensors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func agent(list string) []byte {
	return []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: x}
spec:
  role: planner
  layer: infrastructure
  targets: {static: [{name: a, namespace: x}]}
  triggers: [{name: tick, every: 10s}]
  strategies: [serving.autoscale]
  primitives: [webhook]
  sensors:
` + list)
}

func kinds() manifest.Kinds {
	return manifest.Kinds{Sensors: sensors.Configs(), Verbs: map[string]func() any{"webhook": func() any { return new(struct{}) }}}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	require.Empty(t, manifest.Undocumented(manifest.Kinds{Sensors: sensors.Configs()}))
}

func TestManifestSensorsAreReadAndBuilt(t *testing.T) {
	t.Setenv("TOKEN", "t")
	agents, err := manifest.ReadBytes("agent.yaml", agent(`
    - name: load
      staleAfter: 30s
      prometheus:
        query: sum by (namespace, deployment) (rate(http_requests_total[30s]))
        match: {namespace: namespace, deployment: name}
        range: {window: 5m, step: 30s}
        address: https://prometheus.example:9090/sub
        bearerToken: {env: TOKEN}
        tls: {serverName: prometheus, insecureSkipVerify: true}
    - name: latency
      scrape: {port: http, metric: latency_seconds, quantile: {rank: 0.99, window: 30s}}
    - name: served
      scrape: {url: "http://{name}.{namespace}:8080/metrics", metric: served_total, labels: {code: "200"}, rate: 30s, aggregate: avg, timeout: 1s}
    - name: accuracy
      http: {url: "http://registry/{label:model}", pointer: /accuracy, timestamp: /at, basicAuth: {username: me, password: {env: TOKEN}}}
    - name: ready
      workload: {field: ready}
`), kinds())
	require.NoError(t, err)
	list := agents[0].Spec.Sensors
	require.Len(t, list, 5)
	for _, s := range list {
		_, err := sensors.Kinds[s.Kind].New(s.Config, sensors.Env{Workloads: workloads{}, StaleAfter: s.StaleAfter.Duration})
		require.NoError(t, err, s.Name)
	}
	require.Equal(t, 5*time.Minute, list[0].Config.(*sensors.PrometheusConfig).Range.Window.Duration)
}

func TestManifestMistakesAreAllTold(t *testing.T) {
	_, err := manifest.ReadBytes("agent.yaml", agent(`
    - name: load
      prometheus: {query: "sum(rate(a[1m])", range: {window: 0s, step: 1s}, basicAuth: {username: me, password: hunter2}}
    - name: latency
      scrape: {metric: latency_seconds, quantile: {rank: 99, window: 30s}}
    - name: accuracy
      http: {url: registry, pointer: accuracy}
    - name: ready
      workload: {field: size}
`), kinds())
	for _, want := range []string{
		"1:16: parse error: unclosed left parenthesis", "window", "password",
		"give either url or port", "rank: must be above 0", "has no scheme", "begins with /", "size",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "hunter2")
}

// What is sampled by a label or by pod is an object, which holds for no span and counts
// nothing; the document says which members have no number.
func TestManifestSensorsByMember(t *testing.T) {
	for list, want := range map[string]string{
		`    - {name: errors, sustained: {over: 1m}, prometheus: {query: errors, by: version}}`:             "agent.yaml:12:22: spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type object; leave it out, or sample a number",
		`    - {name: load, sustained: {over: 1m}, scrape: {port: http, metric: a, by: pod}}`:               "spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type object",
		`    - {name: load, sustained: {over: 1m}, prometheus: {query: a, range: {window: 5m, step: 30s}}}`: "spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type array",
		`    - {name: load, sustained: {over: 1m}, http: {url: "http://a/", type: string}}`:                 "spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type string",
		`    - {name: load, sustained: {over: 1m}, drift: {query: a, bins: le, reference: {query: a}}}`:     "spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type object",
		`    - {name: errors, since: seen, prometheus: {query: errors, by: version}}`:                       "spec.sensors[0].since: counts by how much a number grows, and what this sensor samples is of type object",
		`    - {name: errors, scrape: {port: http, metric: a, by: node}}`:                                   `spec.sensors[0].scrape.by: "node" is not known here; write pod`,
		`    - {name: errors, scrape: {port: http, metric: a, by: ""}}`:                                     `spec.sensors[0].scrape.by: "" is not known here; write pod`,
	} {
		_, err := manifest.ReadBytes("agent.yaml", agent(list+"\n"), kinds())
		require.ErrorContains(t, err, want, list)
	}
	agents, err := manifest.ReadBytes("agent.yaml", agent(`    - {name: errors, prometheus: {query: errors, by: version}}
    - {name: load, scrape: {port: http, metric: a, by: pod}}
    - {name: rps, sustained: {over: 1m}, prometheus: {query: load}}
    - {name: lag, sustained: {over: 1m}, since: seen, http: {url: "http://a/", type: number-text}}
    - {name: ready, sustained: {over: 1m}, workload: {field: ready}}
`), kinds())
	require.NoError(t, err)
	properties := func(schema map[string]any, path ...string) map[string]any {
		for _, name := range path {
			schema = schema["properties"].(map[string]any)[name].(map[string]any)
		}
		return schema["properties"].(map[string]any)
	}
	schema := manifest.DocumentSchema(agents[0])
	for _, name := range []string{"errors", "load"} {
		got := properties(schema, "signals", name)
		require.Equal(t, map[string]any{"type": "number"}, got["value"].(map[string]any)["additionalProperties"])
		require.Contains(t, got, "missing")
		require.NotContains(t, got, "sustained")
	}
	for _, name := range []string{"rps", "lag", "ready"} {
		got := properties(schema, "signals", name)
		require.Contains(t, got, "sustained")
		require.NotContains(t, got, "missing")
	}
}
