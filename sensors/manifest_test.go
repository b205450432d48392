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
