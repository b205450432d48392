package sensors_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// A query by a label gives an object, which is ok only if every member of it is.
func TestPrometheusByALabel(t *testing.T) {
	samples := []promengine.Sample{
		one("errors", now, 1, "namespace", "x", "deployment", "a", "version", "v1"),
		one("errors", now, 0, "namespace", "x", "deployment", "a", "version", "v2"),
		one("errors", now, 3, "namespace", "x", "deployment", "b", "version", "v1"),
		one("errors", now, 4, "namespace", "y", "deployment", "a", "version", "v1", "path", "/"),
		one("errors", now, 5, "namespace", "y", "deployment", "a", "version", "v1", "path", "/x"),
		one("partly", now, 1, "namespace", "x", "deployment", "a", "version", "v1"),
		one("partly", now, 2, "namespace", "x", "deployment", "a"),
		one("bad", now, 1, "namespace", "x", "deployment", "a", "version", "v1"),
		one("bad", now, math.NaN(), "namespace", "x", "deployment", "a", "version", "v2"),
		one("bad", now, math.Inf(1), "namespace", "x", "deployment", "a", "version", "v3"),
		one("bad", now, 2, "namespace", "x", "deployment", "b", "version", "v1"),
		one("odd", now, 1, "version", "a b/~1\"é"),
		one("odd", now, 2, "version", "input.x"),
	}
	for i := range 1001 {
		samples = append(samples, one("many", now, float64(i), "id", fmt.Sprint(i), "last", fmt.Sprint(i == 1000)))
	}
	address, queries := prom(t, samples...)
	fleet := []engine.Target{target("x", "a"), target("x", "b"), target("y", "a"), target("y", "none")}
	type m = map[string]any
	ok := func(v m) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	empty := engine.Signal{State: engine.Empty}
	twice := engine.Signal{State: engine.Error, Problem: `two series for one target with version="v1": errors{deployment="a", namespace="y", path="/", version="v1"} and errors{deployment="a", namespace="y", path="/x", version="v1"}; aggregate the query to one`}
	for name, c := range map[string]struct {
		query, by string
		match     map[string]string
		fleet     []engine.Target
		want      engine.Reading
		problem   string // of the whole sample
	}{
		"each target its own": {
			query: "sum by (namespace, deployment, version) (errors)", by: "version",
			want: engine.Reading{ok(m{"v1": 1.0, "v2": 0.0}), ok(m{"v1": 3.0}), ok(m{"v1": 9.0}), empty},
		},
		"the same by match": {
			query: "sum by (ns, deployment, version) (label_replace(errors, \"ns\", \"$1\", \"namespace\", \"(.*)\"))", by: "version", match: map[string]string{"ns": "namespace", "deployment": "name"},
			want: engine.Reading{ok(m{"v1": 1.0, "v2": 0.0}), ok(m{"v1": 3.0}), ok(m{"v1": 9.0}), empty},
		},
		"one object for several targets": {
			query: "sum by (namespace, version) (errors)", by: "version", match: map[string]string{"namespace": "namespace"},
			want: engine.Reading{ok(m{"v1": 4.0, "v2": 0.0}), ok(m{"v1": 4.0, "v2": 0.0}), ok(m{"v1": 9.0}), ok(m{"v1": 9.0})},
		},
		"one object for all": {
			query: "sum by (version) (errors)", by: "version",
			want: engine.Reading{ok(m{"v1": 13.0, "v2": 0.0}), ok(m{"v1": 13.0, "v2": 0.0}), ok(m{"v1": 13.0, "v2": 0.0}), ok(m{"v1": 13.0, "v2": 0.0})},
		},
		"two series of one value, of one target only": {
			query: "errors", by: "version",
			want: engine.Reading{ok(m{"v1": 1.0, "v2": 0.0}), ok(m{"v1": 3.0}), twice, empty},
		},
		"a series without the label": {
			query: "partly", by: "version", fleet: fleet[:2],
			want: engine.Reading{{State: engine.Error, Problem: `the series partly{deployment="a", namespace="x"} has no label "version", which by names; keep that label in the query, as sum by (version) (...) does`}, empty},
		},
		"members that are not a number": {
			query: "bad", by: "version", fleet: fleet[:2],
			want: engine.Reading{{
				State: engine.NaN, Missing: map[string]engine.State{"v2": engine.NaN, "v3": engine.NaN},
				Problem: `the label "version": 2 of 3 have no value: v2: nan: the value is NaN; v3: nan: the value is +Inf`,
			}, ok(m{"v1": 2.0})},
		},
		"a share of nothing": {
			query: "sum by (namespace, deployment, version) (errors) / sum by (namespace, deployment, version) (errors)", by: "version", fleet: fleet[:1],
			want: engine.Reading{{State: engine.NaN, Missing: map[string]engine.State{"v2": engine.NaN}, Problem: `the label "version": 1 of 2 have no value: v2: nan: the value is NaN`}},
		},
		"which the query leaves out": {
			query: "sum by (namespace, deployment, version) (errors) / (sum by (namespace, deployment, version) (errors) > 0)", by: "version", fleet: fleet[:1],
			want: engine.Reading{ok(m{"v1": 1.0})},
		},
		"values of any text":             {query: "odd", by: "version", want: engine.Reading{ok(m{"a b/~1\"é": 1.0, "input.x": 2.0}), ok(m{"a b/~1\"é": 1.0, "input.x": 2.0}), ok(m{"a b/~1\"é": 1.0, "input.x": 2.0}), ok(m{"a b/~1\"é": 1.0, "input.x": 2.0})}},
		"no series":                      {query: "nothing", by: "version", want: engine.Reading{empty, empty, empty, empty}},
		"no targets":                     {query: "errors", by: "version", fleet: []engine.Target{}, want: engine.Reading{}},
		"series of nobody":               {query: "errors", by: "version", match: map[string]string{"pod": "name"}, fleet: fleet[:1], want: engine.Reading{{State: engine.Empty, Problem: `5 series came, none of a target of this agent; the first is errors{deployment="a", namespace="x", version="v1"}, matched by pod=name`}}},
		"a target without the label":     {query: "errors", by: "version", match: map[string]string{"deployment": "team"}, fleet: fleet[:1], want: engine.Reading{{State: engine.Empty, Problem: `5 series came, none of a target of this agent; the first is errors{deployment="a", namespace="x", version="v1"}, matched by deployment=team`}}},
		"series of whom?":                {query: "sum by (path, version) (errors)", by: "version", problem: "is not of all 4 targets; say by `match` whose it is"},
		"labels beside it, for a single": {query: `sum by (path, version) (errors{path="/"})`, by: "version", fleet: fleet[:1], want: engine.Reading{ok(m{"v1": 4.0})}},
		"no such label":                  {query: "max by (namespace) (errors) or vector(1)", by: "version", fleet: fleet[:1], problem: `has no label "version", which by names`},
		"as many as are taken": {query: `count by (id) (many{last="false"}) > 0`, by: "id", fleet: fleet[:1], want: engine.Reading{ok(func() m {
			v := m{}
			for i := range 1000 {
				v[fmt.Sprint(i)] = 1.0
			}
			return v
		}())}},
		"more than are taken": {query: "many", by: "id", fleet: fleet[:1], problem: `the label "id" has 1001 values, and at most 1000 are taken; select fewer, or aggregate them`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fleet == nil {
				c.fleet = fleet
			}
			s := build(t, "prometheus", &sensors.PrometheusConfig{Query: c.query, By: c.by, Match: c.match}, sensors.Env{Prometheus: address})
			before := queries.Load()
			if c.problem != "" {
				_, err := s.Sample(t.Context(), now, c.fleet)
				require.ErrorContains(t, err, c.problem)
			} else {
				require.Empty(t, cmp.Diff(c.want, sampleAt(t, s, now, c.fleet...)))
			}
			require.EqualValues(t, 1, queries.Load()-before, "one query for the fleet")
		})
	}
}

// A member that was there within staleAfter and is gone makes the signal stale, for as long.
func TestPrometheusByALabelKnowsWhatWasThere(t *testing.T) {
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	var samples []promengine.Sample
	for s := 0.0; s <= 60; s += 5 {
		samples = append(samples, one("load", at(s), 1, "version", "v1"))
		if s <= 10 {
			samples = append(samples, one("load", at(s), 2, "version", "v2"))
		}
	}
	samples = append(samples, one("load", at(12), math.Float64frombits(staleMarker), "version", "v2"))
	address, _ := prom(t, samples...)
	web := target("x", "a")
	config := &sensors.PrometheusConfig{Query: "load", By: "version"}
	s := build(t, "prometheus", config, sensors.Env{Prometheus: address, StaleAfter: 30 * time.Second})
	both, single := map[string]any{"v1": 1.0, "v2": 2.0}, map[string]any{"v1": 1.0}
	require.Equal(t, both, sampleAt(t, s, at(10), web)[0].Value)
	gone := engine.Signal{State: engine.Stale, Missing: map[string]engine.State{"v2": engine.Stale}, Problem: "values that were there a moment ago are gone: v2"}
	require.Equal(t, gone, sampleAt(t, s, at(15), web)[0])
	require.Equal(t, gone, sampleAt(t, s, at(40), web)[0])
	require.Equal(t, single, sampleAt(t, s, at(41), web)[0].Value)
	require.Equal(t, engine.OK, sampleAt(t, s, at(20), web)[0].State, "the clock was set back")

	plain := build(t, "prometheus", config, sensors.Env{Prometheus: address})
	require.Equal(t, both, sampleAt(t, plain, at(10), web)[0].Value)
	require.Equal(t, single, sampleAt(t, plain, at(15), web)[0].Value, "without staleAfter, age is not judged")
}

func TestPrometheusByCheck(t *testing.T) {
	for query, says := range map[string]string{
		"errors": "",
		"sum by (version, namespace) (rate(errors[1m]))":        "",
		"(sum by (version) (errors))":                           "",
		"sum without (pod) (errors)":                            "",
		"topk(3, errors)":                                       "",
		`count_values("version", build)`:                        "",
		"sum(errors) by (version) / sum(requests) by (version)": "",
		`label_replace(sum(errors), "version", "x", "", "")`:    "",
		"sum(rate(errors[1m]))":                                 `by: the query's sum leaves the label "version" out; keep the label in the query, as sum by (version) (...) does`,
		"((max by (namespace) (errors)))":                       `by: the query's max leaves the label "version" out`,
		"avg without (version) (errors)":                        `by: the query's avg leaves the label "version" out`,
		"scalar(sum(errors))":                                   "by: names a label, and the query gives one number without labels",
		"1":                                                     "by: names a label, and the query gives one number without labels",
		"sum(":                                                  "query: 1:5: parse error: unclosed left parenthesis",
	} {
		got := strings.Join((&sensors.PrometheusConfig{Query: query, By: "version"}).Check().Lines(), "\n")
		if says == "" {
			require.Empty(t, got, query)
			continue
		}
		require.Contains(t, got, says, query)
		require.NotContains(t, got, "\n", query)
	}
	for name, c := range map[string]struct {
		config sensors.PrometheusConfig
		want   string
	}{
		"the name of the metric": {sensors.PrometheusConfig{Query: "a", By: "__name__"}, `by: "__name__" is not a label of an answer`},
		"a name in UTF-8":        {sensors.PrometheusConfig{Query: "sum(a)", By: "model.version"}, `by: the query's sum leaves the label "model.version" out; keep the label in the query, as sum by ("model.version") (...) does`},
		"no label":               {sensors.PrometheusConfig{Query: "a", By: "a\xff"}, `by: "a\xff" is not a label of an answer`},
		"with a range":           {sensors.PrometheusConfig{Query: "a", By: "version", Range: &sensors.RangeConfig{Window: seconds(9), Step: seconds(1)}}, "by: excludes range; make a sensor of each"},
		"what match has":         {sensors.PrometheusConfig{Query: "a", By: "version", Match: map[string]string{"version": "model"}}, `by: "version" is in match too, so that each target has one value of it (model); leave it out of one of them`},
	} {
		require.Equal(t, []string{c.want}, c.config.Check().Lines(), name)
	}
	c := &sensors.PrometheusConfig{Query: "a", By: "version"}
	require.Equal(t, "object", c.ValueType())
	require.Equal(t, map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "number"}}, c.ValueSchema())
	require.Nil(t, (&sensors.PrometheusConfig{Query: "a"}).ValueSchema())
}
