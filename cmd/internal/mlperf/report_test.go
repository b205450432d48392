package mlperf

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// service answers the n-th query after a delay, with a status.
type service func(n int) (time.Duration, int)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) {
	n := 0
	_ = json.NewDecoder(r.Body).Decode(&n)
	delay, status := s(n)
	<-time.After(delay)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// judged runs a scenario against a service on a clock of the test's own.
func judged(t *testing.T, s service, asked Params, change func(*load.Options)) *Report {
	o := load.Options{URL: "http://service.test", Scenario: asked.Scenario, Bound: asked.Bound, Transport: s, MaxOutstanding: 1 << 20, Seed: 5,
		Body: func(n int) (string, []byte) { b, _ := json.Marshal(n); return "application/json", b }}
	change(&o)
	var r *Report
	synctest.Test(t, func(t *testing.T) {
		g, err := load.New(o)
		require.NoError(t, err)
		result, err := g.Run(t.Context())
		require.NoError(t, err)
		asked.Samples = o.Samples
		r = Evaluate(result, asked)
	})
	return r
}

func every(period int, of, others time.Duration) service {
	return func(n int) (time.Duration, int) {
		if n%period == period-1 {
			return of, 200
		}
		return others, 200
	}
}

func serverAt(rate float64, d time.Duration) func(*load.Options) {
	return func(o *load.Options) { o.Phases = []load.Phase{{Duration: d, Rate: rate}} }
}

func TestServer(t *testing.T) {
	const bound = 250 * time.Millisecond
	asked := Params{Scenario: load.Server, Bound: bound}
	ok := every(1000, time.Second, 100*time.Millisecond)
	for name, c := range map[string]struct {
		s       service
		asked   Params
		change  func(*load.Options)
		met     any
		because string // "": valid
		held    bool
	}{
		"valid":     {ok, asked, serverAt(20, 600*time.Second), true, "", true},
		"too short": {ok, asked, serverAt(20, 60*time.Second), true, "it took 60 s, and 600 s is the least", true},
		"no bound":  {ok, Params{Scenario: load.Server}, serverAt(20, 600*time.Second), nil, "no latency bound", false},
		"missed":    {every(50, time.Second, 0), asked, serverAt(20, 600*time.Second), false, "the bound was not met", false},
		"close":     {every(110, time.Second, 0), asked, serverAt(2, 600*time.Second), true, "early stopping", true},
		"few":       {every(1000, 0, 0), asked, serverAt(0.7, 600*time.Second), true, "takes at least 459 queries", true},
		"varies":    {ok, Params{Scenario: load.Server, Bound: bound, Varies: true}, serverAt(20, 600*time.Second), true, "the rate changed", true},
		"errors within one in a hundred": {func(n int) (time.Duration, int) { return 0, 200 + 300*(n%200/199) }, asked, serverAt(20, 600*time.Second),
			true, "were not answered", false},
		"errors beyond":           {func(n int) (time.Duration, int) { return 0, 200 + 303*(n%50/49) }, asked, serverAt(20, 600*time.Second), false, "the bound was not met", false},
		"a redirect is no answer": {func(int) (time.Duration, int) { return 0, 302 }, asked, serverAt(20, 600*time.Second), false, "the bound was not met", false},
		"interrupted":             {ok, Params{Scenario: load.Server, Bound: bound, Interrupted: true}, serverAt(20, 600*time.Second), true, "interrupted", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := judged(t, c.s, c.asked, c.change)
			if c.met == nil {
				require.Nil(t, r.BoundMet)
			} else {
				require.Equal(t, c.met, *r.BoundMet)
			}
			require.Equal(t, c.because == "", r.Valid, r.NotValid)
			require.Contains(t, strings.Join(r.NotValid, "; "), c.because)
			require.Equal(t, c.held, r.Probe(1, false).Held)
			require.Equal(t, name == "too short", r.ScaledDown)
			require.Equal(t, "scheduled_samples_per_second", r.Metric.Name)
			require.InDelta(t, float64(r.Queries)/r.Seconds, *r.Metric.Value, 1e-9)
		})
	}
}

func TestNotAnsweredIsSlowerThanAnyBound(t *testing.T) {
	r := judged(t, func(n int) (time.Duration, int) { return 20 * time.Millisecond, 200 + 303*(n%20/19) }, Params{Scenario: load.Server, Bound: time.Hour}, serverAt(20, 60*time.Second))
	require.Nil(t, r.LatencyMS.P99)
	require.InEpsilon(t, 20, *r.LatencyMS.P90, 1e-3)
	require.False(t, *r.BoundMet)
	require.Equal(t, map[string]int{"503": r.Errors}, r.ErrorsByCode)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"p99":null`)
}

func TestSingleStream(t *testing.T) {
	asked := Params{Scenario: load.SingleStream}
	lasting := func(d time.Duration) func(*load.Options) { return func(o *load.Options) { o.Duration = d } }
	r := judged(t, every(5, 400*time.Millisecond, 100*time.Millisecond), asked, lasting(600*time.Second))
	require.True(t, r.Valid, r.NotValid)
	require.Equal(t, "early_stopping_latency_p90_ms", r.Metric.Name)
	require.InEpsilon(t, 400, *r.Metric.Value, 1e-3, "a fifth of them are slow")
	require.Nil(t, r.BoundMet)
	require.InDelta(t, 600/0.16, r.Queries, 2, "one after the other")

	// Just under a tenth is slow: the measured p90 is fast, and so few queries do not show it.
	r = judged(t, every(11, 400*time.Millisecond, 100*time.Millisecond), asked, lasting(20*time.Second))
	require.InEpsilon(t, 100, *r.LatencyMS.P90, 1e-3)
	require.InEpsilon(t, 400, *r.Metric.Value, 1e-3)
	require.True(t, r.ScaledDown)

	r = judged(t, every(5, 0, 12*time.Second), asked, func(o *load.Options) { o.Duration, o.Timeout = 600*time.Second, time.Minute })
	require.Nil(t, r.Metric.Value)
	require.Contains(t, strings.Join(r.NotValid, "; "), "64 is the least")
}

func TestMultiStreamIsItsSlowestSample(t *testing.T) {
	asked := Params{Scenario: load.MultiStream, Bound: 200 * time.Millisecond}
	// Of each eight samples one is slow, so that every query is.
	r := judged(t, every(8, 300*time.Millisecond, 10*time.Millisecond), asked, func(o *load.Options) { o.Duration, o.Samples = 600*time.Second, 8 })
	require.InEpsilon(t, 300, *r.LatencyMS.P50, 1e-3)
	require.InEpsilon(t, 300, *r.Metric.Value, 1e-3)
	require.Equal(t, "early_stopping_latency_p99_ms", r.Metric.Name)
	require.False(t, *r.BoundMet)
	require.Equal(t, 8*r.Queries, r.Samples)
	require.True(t, r.Valid, "MultiStream has no latency constraint in the rules")

	r = judged(t, func(n int) (time.Duration, int) { return time.Second, 200 + 300*(n%80/79) }, asked, func(o *load.Options) { o.Duration, o.Samples = 100*time.Second, 8 })
	require.Equal(t, 10, r.Errors, "a query of which one sample fails has failed")
	require.Contains(t, strings.Join(r.NotValid, "; "), "662 is the least")
}

func TestOffline(t *testing.T) {
	r := judged(t, every(2, 100*time.Millisecond, 100*time.Millisecond), Params{Scenario: load.Offline}, func(o *load.Options) { o.Samples, o.Concurrency = 24_576, 4 })
	require.True(t, r.Valid, r.NotValid)
	require.Equal(t, "samples_per_second", r.Metric.Name)
	require.InEpsilon(t, 40, *r.Metric.Value, 1e-6, "four at a time, ten a second each")
	require.Equal(t, []int{1, 24_576}, []int{r.Queries, r.Samples})

	r = judged(t, every(2, 0, time.Second), Params{Scenario: load.Offline}, func(o *load.Options) { o.Samples, o.Concurrency = 100, 50 })
	require.True(t, r.ScaledDown)
	require.Len(t, r.NotValid, 2)
}

func TestAGeneratorThatFellBehindSpoilsARun(t *testing.T) {
	for _, c := range []struct {
		p99, worst float64 // ms
		bound      time.Duration
		late       bool
	}{
		{0, 0, 0, false}, {9, 900, 0, false}, {11, 11, 0, true}, {0, 1001, 0, true},
		{24, 24, 250 * time.Millisecond, false}, {26, 26, 250 * time.Millisecond, true},
		{0.9, 2, time.Millisecond, false}, {1.1, 2, time.Millisecond, true},
	} {
		r := &load.Result{LagP99: c.p99, MaxLag: c.worst}
		require.Equal(t, c.late, late(r, c.bound), "%+v", c)
	}
	var result *load.Result
	synctest.Test(t, func(t *testing.T) {
		g, err := load.New(load.Options{URL: "http://service.test", Bound: time.Second, Phases: []load.Phase{{Duration: 600 * time.Second, Rate: 20}},
			Body: func(int) (string, []byte) { return "", nil }, Transport: every(2, 0, 0)})
		require.NoError(t, err)
		result, err = g.Run(t.Context())
		require.NoError(t, err)
	})
	result.MaxLag = 2000
	r := Evaluate(result, Params{Scenario: load.Server, Bound: time.Second})
	require.True(t, *r.BoundMet)
	require.False(t, r.Valid)
	require.Equal(t, []string{"the generator fell behind by 2000 ms"}, r.NotValid)
	require.True(t, r.Probe(20, false).Held, "it held although the generator was late")
	*r.BoundMet = false
	require.Equal(t, "the bound was missed, and the generator fell behind by 2000 ms", r.Probe(20, false).Because)
}
