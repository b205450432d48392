package sensors_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

const byLe = `sum by (namespace, deployment, le) (confidence_bucket)`

// histogram are the cumulative buckets of one target's confidence, at .5, .9 and +Inf.
func histogram(at time.Time, name string, low, middle, high float64) []promengine.Sample {
	bucket := func(le string, v float64) promengine.Sample {
		return one("confidence_bucket", at, v, "namespace", "x", "deployment", name, "le", le)
	}
	return []promengine.Sample{bucket("0.5", low), bucket("0.90", low+middle), bucket("+Inf", low+middle+high)}
}

// near compares readings up to rounding errors.
func near(t *testing.T, want, got engine.Reading) {
	t.Helper()
	require.Empty(t, cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-12)))
}

func survival(x, freedom float64) float64 { return distuv.ChiSquared{K: freedom}.Survival(x) }

func TestDriftOfAHistogramSinceYesterday(t *testing.T) {
	yesterday := now.Add(-24 * time.Hour)
	var samples []promengine.Sample
	for name, counts := range map[string][3]float64{"a": {200, 400, 200}, "b": {100, 100, 200}, "quiet": {100, 200, 300}, "was-quiet": {1, 2, 3}} {
		samples = append(samples, histogram(yesterday, name, counts[0], counts[1], counts[2])...)
	}
	for name, counts := range map[string][3]float64{"a": {100, 200, 100}, "b": {300, 100, 0}, "quiet": {10, 20, 30}, "was-quiet": {100, 200, 300}, "young": {100, 100, 200}} {
		samples = append(samples, histogram(now, name, counts[0], counts[1], counts[2])...)
	}
	address, queries := prom(t, samples...)

	then := `sum by (namespace, deployment, le) (confidence_bucket offset 1d)`
	s := build(t, "drift", &sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: byLe, Bins: "le", Reference: sensors.DriftReference{Query: then}}, sensors.Env{Prometheus: address})
	got := sampleAt(t, s, now, target("x", "a"), target("x", "b"), target("x", "young"), target("x", "quiet"), target("x", "was-quiet"), target("x", "none"))
	require.Equal(t, int64(2), queries.Load(), "two queries, whatever the fleet")

	// b: 300, 100, 0 of 400 now, 100, 100, 200 of 400 then. The empty bin counts as f.
	f := 0.0001
	p := []float64{0.75 / (1 + f), 0.25 / (1 + f), f / (1 + f)}
	q := []float64{0.25, 0.25, 0.5}
	psi, divergence := 0.0, 0.0
	for i := range p {
		psi += (p[i] - q[i]) * math.Log(p[i]/q[i])
	}
	for i, share := range []float64{0.75, 0.25, 0} { // p and q against their mean, in bits
		m := (share + q[i]) / 2
		if share > 0 {
			divergence += share / 2 * math.Log2(share/m)
		}
		divergence += q[i] / 2 * math.Log2(q[i]/m)
	}
	shares := func(low, middle, high float64) map[string]any {
		return map[string]any{"0.5": low, "0.9": middle, "+Inf": high}
	}
	near(t, engine.Reading{
		{State: engine.OK, At: now, Value: map[string]any{
			"psi": 0.0, "js": 0.0, "ks": 0.0, "chi2": 0.0, "p_value": 1.0, "samples": 400.0, "reference_samples": 800.0,
			"shares": shares(0.25, 0.5, 0.25), "reference": shares(0.25, 0.5, 0.25),
		}},
		{State: engine.OK, At: now, Value: map[string]any{
			// Expected of either: 200, 100, 100.
			"psi": psi, "js": math.Sqrt(divergence), "ks": 0.5, "chi2": 300.0, "p_value": survival(300, 2), "samples": 400.0, "reference_samples": 400.0,
			"shares": shares(0.75, 0.25, 0), "reference": shares(0.25, 0.25, 0.5),
		}},
		{State: engine.Empty, Problem: "reference: no series came"},
		{State: engine.Empty, Problem: "60 samples are too few to tell; minSamples is 100"},
		{State: engine.Empty, Problem: "reference: 6 samples are too few to tell; minSamples is 100"},
		{State: engine.Empty},
	}, got)
}

func TestDriftOfCountsByALabel(t *testing.T) {
	count := func(class string, v float64) promengine.Sample {
		return one("predicted_total", now, v, "class", class)
	}
	address, queries := prom(t, count("0", 50), count("1", 150))
	config := func(r sensors.DriftReference) *sensors.DriftConfig {
		return &sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "sum by (class) (predicted_total)", Bins: "class", Reference: r}
	}
	fleet := []engine.Target{target("x", "a"), target("y", "b")}

	s := build(t, "drift", config(sensors.DriftReference{Counts: map[string]float64{"0": 100, "1": 100, "2": 0}}), sensors.Env{Prometheus: address})
	got := sampleAt(t, s, now, fleet...)
	require.Equal(t, got[0], got[1], "one distribution for all")
	value := got[0].Value.(map[string]any)
	require.InDelta(t, 2*(25.0*25/75+25.0*25/125), value["chi2"], 1e-9)
	require.NotContains(t, value, "ks", "labels have no order")
	require.Equal(t, map[string]any{"0": 0.25, "1": 0.75, "2": 0.0}, value["shares"])

	s = build(t, "drift", config(sensors.DriftReference{Shares: map[string]float64{"0": 0.5, "1": 0.5}}), sensors.Env{Prometheus: address})
	value = sampleAt(t, s, now, fleet...)[0].Value.(map[string]any)
	require.NotContains(t, value, "reference_samples", "shares have none")
	require.InDelta(t, 50.0, value["chi2"], 1e-9, "(50-100)^2/100 twice")
	require.InDelta(t, math.Erfc(5), value["p_value"], 1e-15)
	require.Equal(t, int64(2), queries.Load(), "a fixed reference takes no query")

	s = build(t, "drift", config(sensors.DriftReference{Shares: map[string]float64{"1": 0.75, "9": 0.25}}), sensors.Env{Prometheus: address})
	value = sampleAt(t, s, now, fleet...)[0].Value.(map[string]any)
	require.Equal(t, map[string]any{"0": 0.25, "1": 0.75, "9": 0.0}, value["shares"])
	require.Equal(t, map[string]any{"0": 0.0, "1": 0.75, "9": 0.25}, value["reference"])
	require.Greater(t, value["chi2"], 1000.0, "a class that the reference does not have")
	require.Less(t, value["p_value"], 1e-9)
}

func TestDriftThatCanNotBeTold(t *testing.T) {
	labels := func(name string, more ...string) []string {
		return append([]string{"namespace", "x", "deployment", name}, more...)
	}
	a := func(v float64, more ...string) promengine.Sample { return one("c", now, v, labels("a", more...)...) }
	var many []promengine.Sample
	for i := range 300 {
		many = append(many, a(1, "bin", fmt.Sprint(i)))
	}
	for name, c := range map[string]struct {
		samples []promengine.Sample
		bins    string
		state   engine.State
		problem string
	}{
		"no bucket for all":       {[]promengine.Sample{a(1, "le", "1"), a(2, "le", "2")}, "le", engine.Error, `{deployment="a", namespace="x"} has no bucket le="+Inf", so how many there are is not known`},
		"no such label":           {[]promengine.Sample{a(1, "bin", "1"), a(2)}, "bin", engine.Error, `has no label "bin"; keep it in the query's`},
		"a bound that is none":    {[]promengine.Sample{a(1, "le", "many")}, "le", engine.Error, `le: "many" is not a histogram's bound`},
		"NaN":                     {[]promengine.Sample{a(500, "bin", "1"), a(math.NaN(), "bin", "2")}, "bin", engine.NaN, "the bin 2 is NaN"},
		"infinity":                {[]promengine.Sample{a(math.Inf(1), "bin", "1")}, "bin", engine.NaN, "the bin 1 is +Inf"},
		"below zero":              {[]promengine.Sample{a(500, "bin", "1"), a(-1, "bin", "2")}, "bin", engine.Error, "the bin 2 is -1, and no count is below 0"},
		"too large":               {[]promengine.Sample{a(1e300, "bin", "1")}, "bin", engine.Error, "the bin 1 is 1e+300, which is too large for a count"},
		"too many bins":           {many, "bin", engine.Error, `has more than 256 bins by "bin"`},
		"one bound in two ways":   {[]promengine.Sample{a(1, "le", "1"), a(1, "le", "1.0"), a(1, "le", "+Inf")}, "le", engine.Error, "two series for the bin 1 of"},
		"nothing counted":         {[]promengine.Sample{a(0, "bin", "1"), a(0, "bin", "2")}, "bin", engine.Empty, "0 samples are too few to tell; minSamples is 100"},
		"buckets of another kind": {[]promengine.Sample{a(100, "le", "0.5"), a(200, "le", "+Inf")}, "le", engine.Error, `the reference has other buckets: it lacks le="0.5"`},
		"a bucket less":           {[]promengine.Sample{a(200, "le", "+Inf")}, "le", engine.Error, `the reference has other buckets: le="1" is only there`},
	} {
		t.Run(name, func(t *testing.T) {
			healthy := []promengine.Sample{
				one("c", now, 100, labels("ok", c.bins, "1")...), one("c", now, 200, labels("ok", c.bins, "+Inf")...),
			}
			address, _ := prom(t, append(healthy, c.samples...)...)
			s := build(t, "drift", &sensors.DriftConfig{
				MinSamples: 100, Smoothing: 1e-4, Query: "c", Bins: c.bins, Reference: sensors.DriftReference{Counts: map[string]float64{"1": 100, "+Inf": 100}},
				Match: map[string]string{"deployment": "name"},
			}, sensors.Env{Prometheus: address})
			got := sampleAt(t, s, now, target("x", "a"), target("x", "ok"))
			require.Equal(t, c.state, got[0].State)
			require.Contains(t, got[0].Problem, c.problem)
			require.Nil(t, got[0].Value)
			require.Equal(t, engine.OK, got[1].State, "the others are told: %s", got[1].Problem)
		})
	}
}

// Increases are estimated for each bucket separately, so a higher bucket may count slightly
// fewer than a lower one.
func TestDriftOfBucketsThatFall(t *testing.T) {
	bucket := func(le string, v float64) promengine.Sample { return one("c_bucket", now, v, "le", le) }
	address, _ := prom(t, bucket("1", 100), bucket("2", 99.5), bucket("+Inf", 400))
	s := build(t, "drift", &sensors.DriftConfig{
		MinSamples: 100, Smoothing: 1e-4, Query: "c_bucket", Bins: "le", Reference: sensors.DriftReference{Shares: map[string]float64{"1": 0.25, "2": 0, "+Inf": 0.75}},
	}, sensors.Env{Prometheus: address})
	got := sampleAt(t, s, now, target("x", "a"))[0]
	require.Equal(t, engine.OK, got.State, got.Problem)
	require.Equal(t, map[string]any{"1": 0.25, "2": 0.0, "+Inf": 0.75}, got.Value.(map[string]any)["shares"])
}

func TestDriftAsksWithinItsWindowAndLookBack(t *testing.T) {
	var samples []promengine.Sample
	for i := range 21 {
		at := now.Add(time.Duration(i-20) * 30 * time.Second)
		samples = append(samples, one("c_bucket", at, 10*float64(i), "le", "1"), one("c_bucket", at, 40*float64(i), "le", "+Inf"))
	}
	address, _ := prom(t, samples...)
	config := &sensors.DriftConfig{
		MinSamples: 100, Smoothing: 1e-4, Query: "sum by (le) (increase(c_bucket[5m]))", Bins: "le",
		Reference: sensors.DriftReference{Query: "sum by (le) (increase(c_bucket[5m] offset 5m))"},
	}
	s := build(t, "drift", config, sensors.Env{Prometheus: address})
	got := sampleAt(t, s, now, target("x", "a"))[0]
	require.Equal(t, engine.OK, got.State, got.Problem)
	require.Equal(t, 5*time.Minute, got.Window)
	value := got.Value.(map[string]any)
	require.InDelta(t, 400, value["samples"], 50)
	require.InDelta(t, 0, value["psi"], 1e-9)

	config.Query, config.Reference = "c_bucket", sensors.DriftReference{Shares: map[string]float64{"1": 0.25, "+Inf": 0.75}}
	old := now.Add(40 * time.Second)
	s = build(t, "drift", config, sensors.Env{Prometheus: address, StaleAfter: 30 * time.Second})
	require.Equal(t, engine.Stale, sampleAt(t, s, old, target("x", "a"))[0].State)
	s = build(t, "drift", config, sensors.Env{Prometheus: address, StaleAfter: time.Minute})
	require.Equal(t, engine.OK, sampleAt(t, s, old, target("x", "a"))[0].State)
}

func TestDriftFaults(t *testing.T) {
	const empty = `{"status":"success","data":{"resultType":"vector","result":[]}}`
	fixed := sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.5}}
	for name, c := range map[string]struct {
		body      string
		reference sensors.DriftReference
		want      string
	}{
		"a matrix":             {`{"status":"success","data":{"resultType":"matrix","result":[]}}`, fixed, "no result where there should be one"},
		"no vector":            {`{"status":"success","data":{"resultType":"vector","result":null}}`, fixed, "query Prometheus"},
		"a sample of nothing":  {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"bin":"a"}}]}}`, fixed, "no result where there should be one"},
		"of both, the current": {`{"status":"error","errorType":"internal","error":"lost"}`, sensors.DriftReference{Query: "d"}, ": internal: lost"},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, text(200, "application/json", c.body))
			s := build(t, "drift", &sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "c", Bins: "bin", Reference: c.reference}, sensors.Env{Prometheus: address})
			require.ErrorContains(t, failing(t, s, target("x", "a")), c.want)
		})
	}
	t.Run("a native histogram", func(t *testing.T) {
		address := serve(t, text(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"bin":"a"},"histogram":[1,{"count":"3","sum":"3","buckets":[[0,"0","1","3"]]}]}]}}`))
		s := build(t, "drift", &sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "c", Bins: "bin", Reference: fixed}, sensors.Env{Prometheus: address})
		got := sampleAt(t, s, now, target("x", "a"))[0]
		require.Equal(t, engine.Error, got.State)
		require.Contains(t, got.Problem, "is a native histogram")
	})
	t.Run("the reference alone", func(t *testing.T) {
		calls := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("query") == "d" {
				text(503, "application/json", `{"status":"error","errorType":"timeout","error":"query timed out"}`)(w, r)
				return
			}
			text(200, "application/json", empty)(w, r)
		})
		s := build(t, "drift", &sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "c", Bins: "bin", Reference: sensors.DriftReference{Query: "d"}}, sensors.Env{Prometheus: calls})
		require.ErrorContains(t, failing(t, s, target("x", "a")), "reference: query Prometheus: ")
	})
}

func TestDriftCheck(t *testing.T) {
	good := func() sensors.DriftConfig {
		return sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "sum by (le) (increase(a_bucket[10m]))", Bins: "le", Reference: sensors.DriftReference{Query: "sum by (le) (increase(a_bucket[10m] offset 1d))"}}
	}
	for name, c := range map[string]struct {
		change func(*sensors.DriftConfig)
		want   []string
	}{
		"good":           {func(*sensors.DriftConfig) {}, nil},
		"rate":           {func(c *sensors.DriftConfig) { c.Query = "sum by (le) ((rate(a_bucket[1m])))" }, []string{"query: rate() is per second, and how many were counted can't be told from it; use increase()"}},
		"rate elsewhere": {func(c *sensors.DriftConfig) { c.Query = "a_bucket and on () (rate(b[1m]) > 0)" }, nil},
		"scalar":         {func(c *sensors.DriftConfig) { c.Query = "1" }, []string{"query: 1:1: is one number, not one for each bin"}},
		"syntax":         {func(c *sensors.DriftConfig) { c.Query = "sum(" }, []string{"query: 1:5: parse error: unclosed left parenthesis"}},
		"the same again": {func(c *sensors.DriftConfig) { c.Reference.Query = c.Query }, []string{"reference.query: is the query itself, from which nothing can drift; add an offset to it, such as offset 1d"}},
		"bins in match":  {func(c *sensors.DriftConfig) { c.Match = map[string]string{"le": "name", "": "x"} }, []string{`match: "": "x" is not a label and a field`, `match: "le" tells the bins apart, not the targets`}},
		"bounds": {func(c *sensors.DriftConfig) {
			c.Reference = sensors.DriftReference{Counts: map[string]float64{"low": 5, "+Inf": 7}}
		}, []string{`reference.counts: "low" is not a histogram's bound; write a number or +Inf`}},
		"one bound twice": {func(c *sensors.DriftConfig) {
			c.Reference = sensors.DriftReference{Counts: map[string]float64{"1": 100, "1.0": 100}}
		}, []string{"reference.counts: the bin 1 is there twice"}},
		"too few": {func(c *sensors.DriftConfig) {
			c.Reference = sensors.DriftReference{Counts: map[string]float64{"1": 5, "+Inf": 7}}
		}, []string{"reference.counts: add up to 12, fewer than minSamples, which is 100"}},
		"all at once": {func(c *sensors.DriftConfig) { c.Bins, c.Smoothing, c.MinSamples, c.Address = "\xff", 0.5, 0, "ftp://x" }, []string{
			"address: has no scheme; begin it with http:// or https://", `bins: "\xff" is not a label`, "minSamples: must be at least 1", "smoothing: must be above 0 and at most 0.01",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			config := good()
			c.change(&config)
			require.Equal(t, c.want, config.Check().Lines())
		})
	}
	for name, c := range map[string]struct {
		reference sensors.DriftReference
		want      []string
	}{
		"none":           {sensors.DriftReference{}, []string{"wants exactly one of query, counts, shares"}},
		"two":            {sensors.DriftReference{Query: "a", Shares: map[string]float64{}}, []string{"wants exactly one of query, counts, shares"}},
		"no whole":       {sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.4}}, []string{"shares: add up to 0.9, not to 1"}},
		"below zero":     {sensors.DriftReference{Counts: map[string]float64{"a": -5, "b": 1e20}}, []string{`counts: "a" is -5, and no count is below 0`, `counts: "b" is 1e+20, which is too large for a count`}},
		"one bin":        {sensors.DriftReference{Counts: map[string]float64{"a": 500}}, []string{"counts: has 1 bins; give 2 to 256"}},
		"rounded shares": {sensors.DriftReference{Shares: map[string]float64{"a": 0.33, "b": 0.33, "c": 0.33}}, nil},
	} {
		t.Run("reference with "+name, func(t *testing.T) { require.Equal(t, c.want, c.reference.Check().Lines()) })
	}
	_, err := sensors.Kinds["drift"].New(&sensors.DriftConfig{MinSamples: 100, Smoothing: 1e-4, Query: "a", Bins: "b"}, sensors.Env{Prometheus: "http://127.0.0.1:1"})
	require.ErrorContains(t, err, "reference: wants exactly one")
}

func TestDriftInAManifest(t *testing.T) {
	agents, err := manifest.ReadBytes("agent.yaml", agent(`
    - name: drift
      drift: {query: "sum by (class) (a)", bins: class, reference: {shares: {"0": 0.5, "1": 0.5}}}
`), kinds())
	require.NoError(t, err)
	require.Equal(t, &sensors.DriftConfig{
		Query: "sum by (class) (a)", Bins: "class", MinSamples: 100, Smoothing: 0.0001, Reference: sensors.DriftReference{Shares: map[string]float64{"0": 0.5, "1": 0.5}},
	}, agents[0].Spec.Sensors[0].Config)

	_, err = manifest.ReadBytes("agent.yaml", agent(`
    - name: one
      drift: {query: "rate(a[1m])", bins: le, minSamples: 0, reference: {counts: {"0.5": 400, "1": -1}}}
    - name: two
      drift: {query: a, bins: le, reference: {query: "sum(", shares: {"1": 1}}}
    - name: four
      drift: {query: a, bins: le, reference: {counts: {"low": 400, "1": 1}}}
    - name: three
      drift: {query: a, bins: le, reference: {query: "rate(a[1h])"}, rest: 1}
`), kinds())
	for _, want := range []string{
		"rate() is per second", "minSamples", `"1" is -1, and no count is below 0`, `"low" is not a histogram's bound`,
		"wants exactly one of query, counts, shares", "spec.sensors[3].drift.reference.query", "unknown field",
	} {
		require.ErrorContains(t, err, want)
	}
}
