package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
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

// An alert about a leader concerns one shard of one installation, also where Prometheus scrapes several.
func TestAlertsAboutLeaders(t *testing.T) {
	rules := alertRules(t)
	now := time.Now().Truncate(time.Second)
	// The series of three installations: a in two clusters, b with three shards.
	series := func(cluster, install, shard, pod string, metrics map[string]float64) (out []promengine.Sample) {
		for name, v := range metrics {
			labels := map[string]string{"__name__": name, "cluster": cluster, "install": install, "shard": shard, "pod": pod, "instance": pod, "job": "scanflow", "namespace": "ml"}
			if name == "scanflow_shards" {
				delete(labels, "shard")
			}
			if name == "scanflow_lease_failing_seconds" {
				labels["reason"] = "forbidden"
			}
			out = append(out, promengine.Sample{Labels: labels, At: now.Add(-time.Second), Value: v})
		}
		return out
	}
	replica := func(leads, shards, age, failing float64) map[string]float64 {
		return map[string]float64{
			"scanflow_leader": leads, "scanflow_shards": shards, "scanflow_lease_renewal_age_seconds": age, "scanflow_lease_duration_seconds": 15,
			"scanflow_lease_failing_seconds": failing, "scanflow_lease_conflict": 0, "scanflow_build_info": 1,
		}
	}
	type pods map[string]map[string]float64 // by "cluster install shard pod"
	healthy := func() pods {
		return pods{
			"c1 ml/a 0 a-0": replica(1, 1, 1, 0), "c1 ml/a 0 a-1": replica(0, 1, 1, 0),
			"c2 ml/a 0 a-0": replica(0, 1, 1, 0), "c2 ml/a 0 a-1": replica(1, 1, 1, 0),
			"c1 ml/b 0 b-0": replica(1, 3, 1, 0), "c1 ml/b 1 b-1": replica(1, 3, 1, 0), "c1 ml/b 2 b-2": replica(1, 3, 1, 0),
		}
	}
	for name, row := range map[string]struct {
		change func(pods)
		fires  []string
	}{
		"all is well": {func(pods) {}, nil},
		"nobody leads in one cluster, and the other has the same names": {func(p pods) { p["c1 ml/a 0 a-0"] = replica(0, 1, 1, 0) }, []string{"ScanflowNobodyLeads c1 ml/a 0"}},
		"one shard of three has no leader":                              {func(p pods) { p["c1 ml/b 1 b-1"] = replica(0, 3, 1, 0) }, []string{"ScanflowNobodyLeads c1 ml/b 1"}},
		"one shard of three is gone":                                    {func(p pods) { delete(p, "c1 ml/b 1 b-1") }, []string{"ScanflowShardGone c1 ml/b "}},
		"the access is lost": {func(p pods) {
			p["c1 ml/a 0 a-0"], p["c1 ml/a 0 a-1"] = replica(0, 1, 40, 40), replica(0, 1, 41, 41)
		}, []string{"ScanflowLeaseFailing c1 ml/a 0", "ScanflowLeaseFailing c1 ml/a 0", "ScanflowLeaseNotRenewed c1 ml/a 0", "ScanflowNobodyLeads c1 ml/a 0"}},
		"one replica has lost its access": {func(p pods) { p["c1 ml/a 0 a-1"] = replica(0, 1, 40, 40) }, []string{"ScanflowLeaseFailing c1 ml/a 0"}},
		"a request failed":                {func(p pods) { p["c1 ml/a 0 a-1"] = replica(0, 1, 5, 5) }, nil},
		"another scope": {func(p pods) {
			p["c1 ml/a 0 a-1"]["scanflow_lease_conflict"] = 1
		}, []string{"ScanflowLeaseConflict c1 ml/a 0"}},
		"an installation is gone": {func(p pods) {
			delete(p, "c1 ml/a 0 a-0")
			delete(p, "c1 ml/a 0 a-1")
		}, []string{"ScanflowInstallationGone c1 ml/a "}},
		"without an election": {func(p pods) {
			for _, name := range []string{"c1 ml/a 0 a-0", "c1 ml/a 0 a-1"} {
				delete(p, name)
			}
			p["c1 ml/a 0 a-0"] = map[string]float64{"scanflow_leader": 1, "scanflow_shards": 1, "scanflow_build_info": 1}
		}, nil},
		"all are gone": {func(p pods) { clear(p) }, []string{"ScanflowGone   ", "ScanflowInstallationGone c1 ml/a ", "ScanflowInstallationGone c1 ml/b ", "ScanflowInstallationGone c2 ml/a "}},
	} {
		t.Run(name, func(t *testing.T) {
			prom, err := promengine.Open(promengine.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, prom.Close()) })
			is := healthy()
			var samples, before []promengine.Sample
			for key, metrics := range is {
				at := strings.Fields(key)
				before = append(before, series(at[0], at[1], at[2], at[3], metrics)...)
			}
			for i := range before {
				before[i].At = now.Add(-10 * time.Minute)
			}
			row.change(is)
			for key, metrics := range is {
				at := strings.Fields(key)
				samples = append(samples, series(at[0], at[1], at[2], at[3], metrics)...)
			}
			require.NoError(t, prom.Append(t.Context(), before))
			require.NoError(t, prom.Append(t.Context(), samples))
			var fires []string
			for alert, expr := range rules {
				for _, labels := range results(t, prom, expr, now) {
					fires = append(fires, strings.Join([]string{alert, labels["cluster"], labels["install"], labels["shard"]}, " "))
				}
			}
			slices.Sort(fires)
			require.Equal(t, row.fires, fires)
		})
	}
}

// holds reports whether an alert's expression has a result at a time.
func holds(t *testing.T, prom *promengine.Engine, expr string, at time.Time) bool {
	t.Helper()
	return len(results(t, prom, expr, at)) > 0
}

// results returns the labels of an expression's results at a time.
func results(t *testing.T, prom *promengine.Engine, expr string, at time.Time) (out []map[string]string) {
	t.Helper()
	require.NotEmpty(t, expr)
	w := httptest.NewRecorder()
	form := url.Values{"query": {expr}, "time": {fmt.Sprint(at.Unix())}}
	prom.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/query?"+form.Encode(), nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var answer struct {
		Data struct {
			ResultType string
			Result     []struct{ Metric map[string]string }
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, "vector", answer.Data.ResultType)
	for _, r := range answer.Data.Result {
		out = append(out, r.Metric)
	}
	return out
}
