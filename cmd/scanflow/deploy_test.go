package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/server"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// The alert rules are PromQL over metrics that there are.
func TestAlertRules(t *testing.T) {
	known := map[string]bool{}
	for _, d := range server.Definitions() {
		known[d.Name] = true
	}
	for alert, expr := range alertRules(t) {
		_, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		require.NoError(t, err, alert)
		for _, name := range regexp.MustCompile(`scanflow_\w+`).FindAllString(expr, -1) {
			require.True(t, known[name], "%s: no metric %s", alert, name)
		}
	}
}

// alertRules are the expressions of the alerts that ship, by name.
func alertRules(t *testing.T) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(deploy.FS, "prometheus/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	out := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			out[r.Alert] = r.Expr
		}
	}
	require.NotEmpty(t, out)
	return out
}

// The alerts fire when they should, and only then, in a real Prometheus.
func TestAlertsFire(t *testing.T) {
	rules := alertRules(t)
	now := time.Now().Truncate(time.Second)
	const interval = 10.0
	fired := func(age float64) map[string]float64 { // the samples of an agent that fired so many intervals ago
		return map[string]float64{
			"scanflow_agent_last_firing_timestamp_seconds": float64(now.Unix()) - age*interval,
			"scanflow_agent_interval_seconds":              interval, "scanflow_build_info": 1,
		}
	}
	for name, row := range map[string]struct {
		alert   string
		samples map[string]float64
		fires   bool
	}{
		"2.9 intervals ago":     {"ScanflowNoDecision", fired(2.9), false},
		"3.1 intervals ago":     {"ScanflowNoDecision", fired(3.1), true},
		"it is there":           {"ScanflowGone", fired(0), false},
		"it is there but stuck": {"ScanflowGone", fired(100), false},
		"it is gone":            {"ScanflowGone", map[string]float64{"up": 0}, true},
		"no event is dead":      {"ScanflowDeadLetters", map[string]float64{"scanflow_events": 0}, false},
		"one event is dead":     {"ScanflowDeadLetters", map[string]float64{"scanflow_events": 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			prom, err := promengine.Open(promengine.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, prom.Close()) })
			var samples []promengine.Sample
			for metric, v := range row.samples {
				samples = append(samples, promengine.Sample{Labels: map[string]string{"__name__": metric, "agent": "ns/a", "box": "dead"}, At: now.Add(-time.Second), Value: v})
			}
			require.NoError(t, prom.Append(t.Context(), samples))
			require.Equal(t, row.fires, holds(t, prom, rules[row.alert], now))
		})
	}
}

// holds reports whether an alert's expression has a result at a time.
func holds(t *testing.T, prom *promengine.Engine, expr string, at time.Time) bool {
	t.Helper()
	require.NotEmpty(t, expr)
	w := httptest.NewRecorder()
	form := url.Values{"query": {expr}, "time": {fmt.Sprint(at.Unix())}}
	prom.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/query?"+form.Encode(), nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var answer struct {
		Data struct {
			ResultType string
			Result     []any
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, "vector", answer.Data.ResultType)
	return len(answer.Data.Result) > 0
}
