package sensors_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

var now = time.UnixMilli(1_700_000_000_000)

func seconds(n float64) manifest.Duration {
	return manifest.Duration{Duration: time.Duration(n * float64(time.Second))}
}

func TestPrometheusDealsOneAnswerToTheFleet(t *testing.T) {
	address, queries := prom(t,
		one("load", now, 1, "namespace", "x", "deployment", "a", "team", "red"),
		one("load", now, 2, "namespace", "x", "deployment", "b", "team", "blue"),
		one("load", now, 3, "namespace", "y", "deployment", "a", "team", "blue"),
		one("broken", now, math.NaN(), "namespace", "x", "deployment", "a"),
		one("broken", now, math.Inf(-1), "namespace", "x", "deployment", "b"),
		one("alone", now, 7, "instance", "i"),
		one("old", now.Add(-40*time.Second), 5),
	)
	fleet := []engine.Target{target("x", "a"), target("x", "b", "team", "red"), target("y", "a", "team", "blue"), target("y", "none")}
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	empty := engine.Signal{State: engine.Empty}

	for name, c := range map[string]struct {
		config     sensors.PrometheusConfig
		fleet      []engine.Target
		staleAfter time.Duration
		want       engine.Reading
		problem    string // of the whole sample
		queries    int64  // more than one
	}{
		"by namespace and name": {
			config: sensors.PrometheusConfig{Query: "load", Match: map[string]string{"namespace": "namespace", "deployment": "name"}},
			want:   engine.Reading{ok(1.0), ok(2.0), ok(3.0), empty},
		},
		"the same without saying so": {
			config: sensors.PrometheusConfig{Query: "load"},
			want:   engine.Reading{ok(1.0), ok(2.0), ok(3.0), empty},
		},
		"by a label of the target": {
			config: sensors.PrometheusConfig{Query: "sum by (team) (load)", Match: map[string]string{"team": "team"}},
			want: engine.Reading{
				{State: engine.Empty, Problem: `the target has no label "team"`}, ok(1.0), ok(5.0),
				{State: engine.Empty, Problem: `the target has no label "team"`},
			},
		},
		"one series for several targets": {
			config: sensors.PrometheusConfig{Query: "sum by (namespace) (load)", Match: map[string]string{"namespace": "namespace"}},
			want:   engine.Reading{ok(3.0), ok(3.0), ok(3.0), ok(3.0)},
		},
		"two series for one target": {
			config: sensors.PrometheusConfig{Query: "load", Match: map[string]string{"namespace": "namespace"}},
			want: engine.Reading{
				{State: engine.Error, Problem: `two series for one target: load{deployment="a", namespace="x", team="red"} and load{deployment="b", namespace="x", team="blue"}; aggregate the query to one`},
				{State: engine.Error, Problem: `two series for one target: load{deployment="a", namespace="x", team="red"} and load{deployment="b", namespace="x", team="blue"}; aggregate the query to one`},
				ok(3.0), ok(3.0),
			},
		},
		"series of nobody": {
			config: sensors.PrometheusConfig{Query: `load`, Match: map[string]string{"pod": "name"}},
			fleet:  []engine.Target{target("x", "a")},
			want:   engine.Reading{{State: engine.Empty, Problem: `3 series came, none of a target of this agent; the first is load{deployment="a", namespace="x", team="red"}, matched by pod=name`}},
		},
		"scalar for all":           {config: sensors.PrometheusConfig{Query: "scalar(sum(load))"}, want: engine.Reading{ok(6.0), ok(6.0), ok(6.0), ok(6.0)}},
		"a sum for all":            {config: sensors.PrometheusConfig{Query: "sum(load)"}, want: engine.Reading{ok(6.0), ok(6.0), ok(6.0), ok(6.0)}},
		"a series of its own":      {config: sensors.PrometheusConfig{Query: "alone"}, fleet: fleet[:1], want: engine.Reading{ok(7.0)}},
		"a series of whom?":        {config: sensors.PrometheusConfig{Query: "alone"}, problem: `the series alone{instance="i"} is not of all 4 targets; say by ` + "`match`"},
		"several series, of whom?": {config: sensors.PrometheusConfig{Query: "sum by (team) (load)"}, problem: "two series for one target: {team="},
		"NaN and infinity": {
			config: sensors.PrometheusConfig{Query: "broken"}, fleet: fleet[:2],
			want: engine.Reading{{State: engine.NaN, At: now, Problem: "the value is NaN"}, {State: engine.NaN, At: now, Problem: "the value is -Inf"}},
		},
		"0/0":                {config: sensors.PrometheusConfig{Query: "0 * scalar(sum(load)) / 0"}, fleet: fleet[:1], want: engine.Reading{{State: engine.NaN, At: now, Problem: "the value is NaN"}}},
		"server's look-back": {config: sensors.PrometheusConfig{Query: "old"}, fleet: fleet[:1], want: engine.Reading{ok(5.0)}},
		"own look-back": {config: sensors.PrometheusConfig{Query: "old"}, fleet: fleet[:1], staleAfter: 39500 * time.Millisecond, queries: 1, // for older samples
			want: engine.Reading{{State: engine.Stale, Problem: "no sample is within 39.5s, which is staleAfter; there is an older one"}}},
		"longer look-back": {config: sensors.PrometheusConfig{Query: "old"}, fleet: fleet[:1], staleAfter: 40500 * time.Millisecond, want: engine.Reading{ok(5.0)}},
		"window": {
			config: sensors.PrometheusConfig{Query: "max_over_time(sum(max_over_time(load[30s]))[2m:10s])"}, fleet: fleet[:1],
			want: engine.Reading{{State: engine.OK, Value: 6.0, At: now, Window: 150 * time.Second}},
		},
		"no targets": {config: sensors.PrometheusConfig{Query: "load"}, fleet: []engine.Target{}, want: engine.Reading{}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fleet == nil {
				c.fleet = fleet
			}
			s := build(t, "prometheus", &c.config, sensors.Env{Prometheus: address, StaleAfter: c.staleAfter})
			before := queries.Load()
			if c.problem != "" {
				_, err := s.Sample(t.Context(), now, c.fleet)
				require.ErrorContains(t, err, c.problem)
			} else {
				got := sampleAt(t, s, now, c.fleet...)
				require.Empty(t, cmp.Diff(c.want, got))
			}
			require.Equal(t, 1+c.queries, queries.Load()-before, "one query for the fleet")
		})
	}
}

func TestPrometheusRange(t *testing.T) {
	var samples []promengine.Sample
	for i := range 4 {
		samples = append(samples, one("load", now.Add(time.Duration(i-3)*10*time.Second), float64(i), "namespace", "x", "deployment", "a"))
	}
	samples = append(samples, one("spoilt", now.Add(-10*time.Second), math.NaN()), one("spoilt", now, 1))
	address, _ := prom(t, samples...)
	config := func(query string) *sensors.PrometheusConfig {
		return &sensors.PrometheusConfig{Query: query, Range: &sensors.RangeConfig{Window: seconds(20), Step: seconds(10)}}
	}
	s := build(t, "prometheus", config("load"), sensors.Env{Prometheus: address})
	require.Empty(t, cmp.Diff(engine.Reading{
		{State: engine.OK, Value: []any{[]any{20.0, 1.0}, []any{10.0, 2.0}, []any{0.0, 3.0}}, At: now, Window: 20 * time.Second},
		{State: engine.Empty},
	}, sampleAt(t, s, now, target("x", "a"), target("x", "b"))))

	s = build(t, "prometheus", config("spoilt"), sensors.Env{Prometheus: address})
	require.Equal(t, engine.NaN, sampleAt(t, s, now, target("x", "a"))[0].State)
	s = build(t, "prometheus", config("nothing"), sensors.Env{Prometheus: address})
	require.Equal(t, engine.Empty, sampleAt(t, s, now, target("x", "a"))[0].State)
}

// The published system compared Prometheus' "0" with the number 0, and its
// failover never fired.
func TestDefect1ZeroFromPrometheusIsANumber(t *testing.T) {
	address, _ := prom(t, one("ready", now, 0, "namespace", "x", "deployment", "a"))
	for _, query := range []string{"ready", "sum by (namespace, deployment) (ready)", "scalar(ready)"} {
		s := build(t, "prometheus", &sensors.PrometheusConfig{Query: query}, sensors.Env{Prometheus: address})
		require.Equal(t, engine.Signal{State: engine.OK, Value: float64(0), At: now}, sampleAt(t, s, now, target("x", "a"))[0], query)
	}
}

// The published system crashed on an empty result.
func TestDefect2EmptyResultIsEmptyForEach(t *testing.T) {
	address, _ := prom(t)
	for _, match := range []map[string]string{nil, {"namespace": "namespace"}} {
		s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "nothing", Match: match}, sensors.Env{Prometheus: address})
		for range 2 {
			require.Equal(t, engine.Reading{{State: engine.Empty}, {State: engine.Empty}}, sampleAt(t, s, now, target("x", "a"), target("x", "b")))
		}
	}
}

func TestPrometheusSeriesThatEndsIsEmpty(t *testing.T) {
	const staleMarker = 0x7ff0000000000002 // Prometheus' own
	address, _ := prom(t,
		one("load", now.Add(-2*time.Second), 1),
		one("load", now.Add(-time.Second), math.Float64frombits(staleMarker)))
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "load"}, sensors.Env{Prometheus: address})
	require.Equal(t, engine.Empty, sampleAt(t, s, now, target("x", "a"))[0].State)
}

func TestPrometheusWarningsAreLoggedOnce(t *testing.T) {
	address, _ := prom(t, one("load", now, 1))
	var log bytes.Buffer
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "quantile(2, load) * 0 + 1"}, sensors.Env{
		Prometheus: address, Log: hclog.New(&hclog.LoggerOptions{Output: &log}),
	})
	for range 3 {
		sampleAt(t, s, now, target("x", "a"))
	}
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("quantile value should be between 0 and 1")), log.String())
}

func TestPrometheusCheck(t *testing.T) {
	for name, c := range map[string]struct {
		config sensors.PrometheusConfig
		want   []string
	}{
		"good":               {sensors.PrometheusConfig{Query: "sum(rate(a[1m]))", Address: "https://prom:9090/sub", Match: map[string]string{"a": "name"}}, nil},
		"syntax, with place": {sensors.PrometheusConfig{Query: "sum(rate(a[1m])"}, []string{"query: 1:16: parse error: unclosed left parenthesis"}},
		"unknown function":   {sensors.PrometheusConfig{Query: "1 +\n  foo(a)"}, []string{`query: 2:3: parse error: unknown function with name "foo"`}},
		"text":               {sensors.PrometheusConfig{Query: `"x"`}, []string{"query: 1:1: is a text, not a number"}},
		"range vector":       {sensors.PrometheusConfig{Query: `a[5m]`}, []string{"query: 1:1: a[5m] is a range vector; take rate() or avg_over_time() of it, or drop the range"}},
		"address":            {sensors.PrometheusConfig{Query: "a", Address: "prom:9090"}, []string{"address: has no scheme; begin it with http:// or https://"}},
		"user in address":    {sensors.PrometheusConfig{Query: "a", Address: "http://me:hunter2@prom:9090"}, []string{"address: has a user in it; use basicAuth, with the password by reference"}},
		"unreadable address": {sensors.PrometheusConfig{Query: "a", Address: "http://me:hunter2@pr om"}, []string{"address: is not a URL; write it like http://host:9090/path"}},
		"match":              {sensors.PrometheusConfig{Query: "a", Match: map[string]string{"": "name", "x": ""}}, []string{`match: "": "name" is not a label and a field`, `match: "x": "" is not a label and a field`}},
		"all at once": {sensors.PrometheusConfig{Query: "sum(", Address: "ftp://x", BasicAuth: &manifest.BasicAuth{}, BearerToken: &manifest.Secret{}}, []string{
			"basicAuth and bearerToken exclude each other; keep one",
			"query: 1:5: parse error: unclosed left parenthesis",
			"address: has no scheme; begin it with http:// or https://",
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.config.Check().Lines()) })
	}
	require.Equal(t, []string{"window: must be positive", "step: must be positive"}, sensors.RangeConfig{}.Check().Lines())
	require.Equal(t, []string{"step: gives more than 11,000 points; make it longer"}, sensors.RangeConfig{Window: seconds(20000), Step: seconds(1)}.Check().Lines())
	require.Equal(t, []string{"certFile and keyFile go together"}, sensors.TLS{CertFile: "x"}.Check().Lines())
}

func TestPrometheusWithoutAServer(t *testing.T) {
	_, err := sensors.Kinds["prometheus"].New(&sensors.PrometheusConfig{Query: "a"}, sensors.Env{})
	require.ErrorContains(t, err, "set it, or start with --prometheus URL")
	_, err = sensors.Kinds["prometheus"].New(&sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: "http://me:hunter2@host"})
	require.ErrorContains(t, err, "--prometheus: has a user in it")
	require.NotContains(t, err.Error(), "hunter2")
}
