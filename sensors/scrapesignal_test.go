package sensors

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const latencies = `# TYPE ttft_seconds histogram
ttft_seconds_sum{model="m"} 24.5
ttft_seconds_bucket{le="0.5",model="m"} 90.0
ttft_seconds_bucket{le="1.0",model="m"} 130.0
ttft_seconds_bucket{le="2560.0",model="m"} 139.5
ttft_seconds_bucket{le="+Inf",model="m"} 140.0
ttft_seconds_count{model="m"} 140.0
# TYPE size summary
size{quantile="0.50"} 3
size{quantile="1.0"} 5
# TYPE bare histogram
bare_bucket{le="1e+00"} 7
# TYPE tokens counter
tokens_total{code="200",path="/a"} 1
tokens_total{code="200",path="/b"} 2
tokens_total{code="429",path="/a"} 4
tokens_total{code="500",path="/a"} 8
tokens_total{code="503",path="/a"} 16
`

// A selected sample is found in any spelling of its numbers, or the problem lists similar ones.
func TestScrapeChoosesByLabels(t *testing.T) {
	s := servePages(t, map[string]page{
		"text": {kind: textKind, body: latencies},
		// Without a TYPE, the scrape keeps the bounds as they are written.
		"bare": {kind: textKind, body: "d_bucket{le=\"1\"} 4\nd_bucket{le=\"1.0\",pod=\"b\"} 2\nd_bucket{le=\"+Inf\"} 9\nd_bucket{le=\"x\"} 5\n"},
	})
	labels := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		page, metric string
		labels       map[string]string
		want         any // a number, or a problem
	}{
		"as written":       {"text", "ttft_seconds_bucket", labels("le", "1.0"), 130.0},
		"shorter":          {"text", "ttft_seconds_bucket", labels("le", "1"), 130.0},
		"with an exponent": {"text", "ttft_seconds_bucket", labels("le", "2.56e3"), 139.5},
		"infinite":         {"text", "ttft_seconds_bucket", labels("le", "Inf"), 140.0},
		"quantile":         {"text", "size", labels("quantile", "0.5"), 3.0},
		"quantile longer":  {"text", "size", labels("quantile", "0.50"), 3.0},
		"whole quantile":   {"text", "size", labels("quantile", "1"), 5.0},
		"page's exponent":  {"text", "bare_bucket", labels("le", "1"), 7.0},
		"both spellings":   {"bare", "d_bucket", labels("le", "1"), 6.0},
		"no number":        {"bare", "d_bucket", labels("le", "x"), 5.0},
		"absent label":     {"bare", "d_bucket", labels("le", "1", "pod", ""), 4.0},
		"two labels":       {"text", "tokens_total", labels("code", "200", "path", "/b"), 2.0},
		"sum":              {"text", "tokens_total", nil, 31.0},
		"no such bound":    {"text", "ttft_seconds_bucket", labels("le", "3"), `no sample of ttft_seconds_bucket has the labels {le="3"}; there are {le="0.5", model="m"}, {le="1.0", model="m"}, {le="2560.0", model="m"} and 1 more`},
		"no such label":    {"text", "tokens_total", labels("code", "201"), `no sample of tokens_total has the labels {code="201"}; there are {code="200", path="/a"}, {code="200", path="/b"}, {code="429", path="/a"} and 2 more`},
		"made-up bucket":   {"text", "bare_bucket", labels("le", "+Inf"), `no sample of bare_bucket has the labels {le="+Inf"}; there are {le="1.0"}`},
		"made-up count":    {"text", "size_count", nil, "no page has a sample of size_count"},
		"made-up sum":      {"text", "bare_sum", nil, "no page has a sample of bare_sum"},
		"another name":     {"text", "ttft_seconds", nil, "no page has a sample of ttft_seconds; there are ttft_seconds_sum, ttft_seconds_bucket, ttft_seconds_count"},
		"without total":    {"text", "tokens", nil, "no page has a sample of tokens; there are tokens_total"},
	} {
		t.Run(name, func(t *testing.T) {
			got := scrapeOne(t, s.server.URL+"/"+c.page, ScrapeConfig{Metric: c.metric, Labels: c.labels})
			if problem, is := c.want.(string); is {
				require.Equal(t, engine.Signal{State: engine.Empty, Problem: problem}, got)
				return
			}
			require.Equal(t, engine.OK, got.State, got.Problem)
			require.Equal(t, c.want, got.Value)
		})
	}
}

// The list of similar samples is short for any page, and has no token that the page echoes.
func TestScrapeNamesWhatThereIsInFewWords(t *testing.T) {
	var body strings.Builder
	for i := range 5000 {
		_, _ = fmt.Fprintf(&body, "load{a=\"%d-t0ken-%s\"} 1\n", i, strings.Repeat("x", 500))
	}
	s := servePages(t, map[string]page{"page": {kind: textKind, body: body.String()}})
	t.Setenv("PAGE_TOKEN", "t0ken")
	got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{
		Metric: "load", Labels: map[string]string{"a": "b"}, BearerToken: &manifest.Secret{Env: "PAGE_TOKEN"},
	})
	require.Equal(t, engine.Empty, got.State)
	require.Contains(t, got.Problem, "no sample of load has the labels")
	require.Less(t, len(got.Problem), 400)
	require.NotContains(t, got.Problem, "t0ken")
}

// A native histogram has no single value, but a count and a sum. Classic lines of the same
// histogram are used if they are selected.
func TestScrapeOfNativeHistograms(t *testing.T) {
	s := servePages(t, map[string]page{"page": {handler: program(promhttp.HandlerOpts{})}})
	address := s.server.URL + "/page"
	quantile := &QuantileConfig{Rank: 0.9, Window: manifest.Duration{Duration: time.Minute}}
	for name, c := range map[string]struct {
		config ScrapeConfig
		state  engine.State
		want   any
	}{
		"count":              {ScrapeConfig{Metric: "native_count"}, engine.OK, 20.0},
		"count of a label":   {ScrapeConfig{Metric: "native_count", Labels: map[string]string{"code": "500"}}, engine.OK, 10.0},
		"sum":                {ScrapeConfig{Metric: "native_sum"}, engine.OK, 49.4},
		"count of both":      {ScrapeConfig{Metric: "both_count"}, engine.OK, 20.0},
		"sum of both":        {ScrapeConfig{Metric: "both_sum"}, engine.OK, -49.4},
		"bucket of both":     {ScrapeConfig{Metric: "both_bucket", Labels: map[string]string{"le": "0.10"}}, engine.OK, 20.0},
		"the whole":          {ScrapeConfig{Metric: "native"}, engine.Error, "native is a native histogram, which is no number; read native_count or native_sum"},
		"the whole of both":  {ScrapeConfig{Metric: "both"}, engine.Error, "both is a native histogram"},
		"no such label":      {ScrapeConfig{Metric: "native_count", Labels: map[string]string{"code": "404"}}, engine.Empty, `no sample of native_count has the labels {code="404"}; there are {code="200"}, {code="500"}`},
		"whole, no label":    {ScrapeConfig{Metric: "native", Labels: map[string]string{"code": "404"}}, engine.Empty, `no sample of native has the labels {code="404"}; there are {code="200"}, {code="500"}`},
		"bucket":             {ScrapeConfig{Metric: "native_bucket"}, engine.Empty, "no page has a sample of native_bucket"},
		"quantile":           {ScrapeConfig{Metric: "native", Quantile: quantile}, engine.Error, "native is a native histogram without classic buckets; a quantile is of classic ones"},
		"quantile of both":   {ScrapeConfig{Metric: "both", Quantile: quantile}, engine.Empty, "there are not yet two samples of both_bucket within 1m0s"},
		"quantile of a name": {ScrapeConfig{Metric: "absent", Quantile: quantile}, engine.Empty, "no page has a sample of absent_bucket"},
	} {
		t.Run(name, func(t *testing.T) {
			got := scrapeOne(t, address, c.config)
			require.Equal(t, c.state, got.State, got.Problem)
			if problem, is := c.want.(string); is {
				require.Contains(t, got.Problem, problem)
			} else {
				require.InDelta(t, c.want, got.Value, 1e-9)
			}
		})
	}
}

// A quantile needs all the buckets that the page should have; none is estimated.
func TestScrapeQuantileOfIncompleteHistograms(t *testing.T) {
	quantile := ScrapeConfig{Metric: "d", Quantile: &QuantileConfig{Rank: 0.9, Window: manifest.Duration{Duration: time.Minute}}}
	for name, c := range map[string]struct{ body, want string }{
		"no infinity":         {"d_bucket{le=\"1\"} 3\nd_count 4\n", `a histogram d has no bucket le="+Inf"`},
		"no infinity of some": {"d_bucket{m=\"a\",le=\"1\"} 3\nd_bucket{m=\"a\",le=\"+Inf\"} 3\nd_bucket{m=\"b\",le=\"1\"} 3\n", `a histogram d has no bucket le="+Inf"`},
		"no number":           {"d_bucket{le=\"many\"} 3\n", `the bucket {__name__="d_bucket", le="many"} has no bound: le must be a number or +Inf`},
		"not a number":        {"d_bucket{le=\"NaN\"} 3\n", "has no bound"},
		"no bound":            {"d_bucket 3\n", "has no bound"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servePages(t, map[string]page{"page": {kind: textKind, body: c.body}})
			got := scrapeOne(t, s.server.URL+"/page", quantile)
			require.Equal(t, engine.Error, got.State)
			require.Contains(t, got.Problem, c.want)
		})
	}
}

// podsOf returns the pods of workloads by name.
type podsOf map[string][]engine.Pod

func (w podsOf) Fleet(engine.Selector) (engine.Fleet, error) { return nil, nil }

func (w podsOf) Workload(id engine.TargetID) (engine.Workload, bool) {
	pods, ok := w[id.Name]
	return engine.Workload{Pods: pods}, ok
}

// A page without the sample is not part of the sum, the average or the minimum.
func TestScrapeOfPodsOfWhichSomeLackTheSample(t *testing.T) {
	histogram := func(lines string) page { return page{kind: textKind, body: "# TYPE d histogram\n" + lines} }
	s := servePages(t, map[string]page{
		"ten":     histogram("d_bucket{le=\"+Inf\"} 10\nd_count 10\nd_sum 5\n"),
		"four":    histogram("d_bucket{le=\"+Inf\"} 4\nd_count 4\nd_sum 2\n"),
		"buckets": histogram("d_bucket{le=\"1\"} 2\n"),
		"quant":   {kind: textKind, body: "# TYPE d summary\nd{quantile=\"0.5\"} 1\n"},
		"none":    {kind: openKind, body: "# TYPE other gauge\nother 1\n# EOF\n"},
		"broken":  {kind: textKind, body: "d_count many\n"},
	})
	host := strings.TrimPrefix(s.server.URL, "http://")
	pods := func(names ...string) (out []engine.Pod) {
		for _, name := range names {
			out = append(out, engine.Pod{Name: name, Ready: true, Ports: map[string]string{"http": host + "/" + name + "?x="}})
		}
		return out
	}
	for how, want := range map[string]float64{"": 14, "sum": 14, "avg": 7, "min": 4, "max": 10} {
		t.Run("aggregate "+how, func(t *testing.T) {
			sensor, err := newScrape(&ScrapeConfig{Port: "http", Metric: "d_count", Aggregate: how, Timeout: manifest.Duration{Duration: time.Minute}}, Env{Workloads: podsOf{
				"some":   pods("ten", "buckets", "quant", "none", "four"),
				"no":     pods("buckets", "quant", "none"),
				"broken": pods("ten", "broken"),
			}})
			require.NoError(t, err)
			got, err := sensor.Sample(t.Context(), time.Now(), []engine.Target{{Name: "some"}, {Name: "no"}, {Name: "broken"}})
			require.NoError(t, err)
			require.Equal(t, engine.OK, got[0].State, got[0].Problem)
			require.Equal(t, want, got[0].Value)
			require.Equal(t, engine.Signal{State: engine.Empty, Problem: "no page has a sample of d_count"}, got[1])
			require.Equal(t, engine.Error, got[2].State)
		})
	}
}

// A sample has the timestamp of the page, in the unit of the page's format.
func TestScrapeTimesOfFormats(t *testing.T) {
	measured := time.Now().Add(-45 * time.Second).Truncate(time.Second)
	s := servePages(t, map[string]page{
		"text":    {kind: textKind, body: fmt.Sprintf("load 3 %d\n", measured.UnixMilli())},
		"seconds": {kind: openKind, body: fmt.Sprintf("load 3 %d\n# EOF\n", measured.Unix())},
		"decimal": {kind: openKind, body: fmt.Sprintf("load 3 %d.250\n# EOF\n", measured.Unix())},
	})
	for name, want := range map[string]time.Time{"text": measured, "seconds": measured, "decimal": measured.Add(250 * time.Millisecond)} {
		got := scrapeOne(t, s.server.URL+"/"+name, ScrapeConfig{Metric: "load"})
		require.Equal(t, engine.OK, got.State, got.Problem)
		require.Equal(t, want.UnixMilli(), got.At.UnixMilli(), name)
	}
}
