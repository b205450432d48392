package sensors_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// application is a program with real Prometheus metrics.
type application struct {
	address  string // host:port
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
	served   atomic.Int64
}

func newApplication(t testing.TB) *application {
	a := &application{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"code", "path"}),
		latency:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "latency_seconds", Buckets: []float64{0.1, 0.2, 0.4, 0.8}}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(a.requests, a.latency)
	h := promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true})
	a.address = strings.TrimPrefix(serve(t, func(w http.ResponseWriter, r *http.Request) {
		a.served.Add(1)
		h.ServeHTTP(w, r)
	}), "http://")
	return a
}

func ready(name, address string) engine.Pod {
	return engine.Pod{Name: name, Ready: true, Ports: map[string]string{"http": address, "8080": address}}
}

func TestScrapeReadsThePagesOfReadyPods(t *testing.T) {
	one, two := newApplication(t), newApplication(t)
	one.requests.WithLabelValues("200", "/").Add(5)
	one.requests.WithLabelValues("500", "/").Add(1)
	one.requests.WithLabelValues("200", "/x").Add(7)
	two.requests.WithLabelValues("200", "/").Add(10)
	one.latency.Observe(0.3)
	fleet := []engine.Target{target("x", "both"), target("x", "one"), target("x", "none"), target("x", "unknown")}
	env := sensors.Env{Workloads: workloads{
		fleet[0].ID(): {Pods: []engine.Pod{ready("p", one.address), ready("q", two.address), {Name: "r", Ports: map[string]string{"http": "127.0.0.1:1"}}}},
		fleet[1].ID(): {Pods: []engine.Pod{ready("p", one.address)}},
		fleet[2].ID(): {},
	}}
	ok := func(v float64) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	empty := func(metric string) engine.Signal {
		return engine.Signal{State: engine.Empty, Problem: "no page has a sample of " + metric}
	}
	for name, c := range map[string]struct {
		config sensors.ScrapeConfig
		want   engine.Reading
	}{
		"sum":       {sensors.ScrapeConfig{Port: "http", Metric: "requests_total"}, engine.Reading{ok(23), ok(13), empty("requests_total"), empty("requests_total")}},
		"by number": {sensors.ScrapeConfig{Port: "8080", Path: "/metrics", Metric: "requests_total"}, engine.Reading{ok(23), ok(13), empty("requests_total"), empty("requests_total")}},
		"labels":    {sensors.ScrapeConfig{Port: "http", Metric: "requests_total", Labels: map[string]string{"code": "200", "path": "/"}}, engine.Reading{ok(15), ok(5), empty("requests_total"), empty("requests_total")}},
		"average":   {sensors.ScrapeConfig{Port: "http", Metric: "requests_total", Aggregate: "avg", Labels: map[string]string{"path": "/", "code": "200"}}, engine.Reading{ok(7.5), ok(5), empty("requests_total"), empty("requests_total")}},
		"max":       {sensors.ScrapeConfig{Port: "http", Metric: "requests_total", Aggregate: "max"}, engine.Reading{ok(10), ok(7), empty("requests_total"), empty("requests_total")}},
		"min":       {sensors.ScrapeConfig{Port: "http", Metric: "requests_total", Aggregate: "min"}, engine.Reading{ok(1), ok(1), empty("requests_total"), empty("requests_total")}},
		"count":     {sensors.ScrapeConfig{Port: "http", Metric: "latency_seconds_count"}, engine.Reading{ok(1), ok(1), empty("latency_seconds_count"), empty("latency_seconds_count")}},
		"total":     {sensors.ScrapeConfig{Port: "http", Metric: "latency_seconds_sum"}, engine.Reading{ok(0.3), ok(0.3), empty("latency_seconds_sum"), empty("latency_seconds_sum")}},
		"bucket":    {sensors.ScrapeConfig{Port: "http", Metric: "latency_seconds_bucket", Labels: map[string]string{"le": "0.4"}}, engine.Reading{ok(1), ok(1), empty("latency_seconds_bucket"), empty("latency_seconds_bucket")}},
		"no such":   {sensors.ScrapeConfig{Port: "http", Metric: "nothing"}, engine.Reading{empty("nothing"), empty("nothing"), empty("nothing"), empty("nothing")}},
	} {
		t.Run(name, func(t *testing.T) {
			before := one.served.Load() + two.served.Load()
			got := sampleAt(t, build(t, "scrape", &c.config, env), now, fleet...)
			require.Empty(t, cmp.Diff(c.want, got))
			require.Equal(t, int64(2), one.served.Load()+two.served.Load()-before, "each page is read once")
		})
	}
	got := sampleAt(t, build(t, "scrape", &sensors.ScrapeConfig{Port: "grpc", Metric: "a"}, env), now, fleet[1])
	require.Equal(t, engine.Reading{{State: engine.Error, Problem: `pod p has no port "grpc"`}}, got)
}

func TestScrapeRate(t *testing.T) {
	app := newApplication(t)
	c := app.requests.WithLabelValues("200", "/")
	s := build(t, "scrape", &sensors.ScrapeConfig{URL: "http://" + app.address + "/{name}", Metric: "requests_total", Rate: seconds(30)}, sensors.Env{})
	step := func(after time.Duration, served float64) engine.Signal {
		c.Add(served)
		return sampleAt(t, s, now.Add(after), target("x", "a"))[0]
	}
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "there are not yet two samples of requests_total within 30s"}, step(0, 100))
	require.Equal(t, engine.Signal{State: engine.OK, Value: 5.0, At: now.Add(10 * time.Second), Window: 30 * time.Second}, step(10*time.Second, 50))
	require.Equal(t, 10.0, step(20*time.Second, 150).Value)
	require.Equal(t, 10.0, step(30*time.Second, 100).Value)
	require.Equal(t, (150.0+100+0)/30, step(40*time.Second, 0).Value, "what is beyond the window is forgotten")

	app.requests.Reset() // the application starts again from zero
	c = app.requests.WithLabelValues("200", "/")
	require.Equal(t, (100.0+0+60)/30, step(50*time.Second, 60).Value)

	app.requests.Reset()
	require.Equal(t, engine.Empty, sampleAt(t, s, now.Add(55*time.Second), target("x", "a"))[0].State, "a counter that is not shown has no rate")
	require.Equal(t, engine.Empty, step(300*time.Second, 1).State, "a gap longer than the window is a new beginning")
}

func TestScrapeQuantileIsThatOfPrometheus(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	e, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()

	bounds := []float64{-1, 0.5, 1, 2, 4}
	for round := range 40 {
		first := round % 2 // with a negative bound, and without
		rank := []float64{0.01, 0.5, 0.9, 0.99, 1}[round%5]
		var mu sync.Mutex
		counts := make([]int, len(bounds)+1)
		page := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			total := 0
			_, _ = fmt.Fprintln(w, "# TYPE h histogram")
			for i := first; i < len(bounds); i++ {
				total += counts[i]
				_, _ = fmt.Fprintf(w, "h_bucket{le=\"%g\"} %d\n", bounds[i], total)
			}
			total += counts[len(bounds)]
			_, _ = fmt.Fprintf(w, "h_bucket{le=\"+Inf\"} %d\nh_sum 0\nh_count %d\n", total, total)
		})
		s := build(t, "scrape", &sensors.ScrapeConfig{URL: page, Metric: "h", Quantile: &sensors.QuantileConfig{Rank: rank, Window: seconds(30)}}, sensors.Env{})
		require.Equal(t, engine.Empty, sampleAt(t, s, now, target("x", "a"))[0].State)

		var samples []promengine.Sample
		mu.Lock()
		total := 0.0
		id := fmt.Sprint(round)
		for i := first; i <= len(bounds); i++ {
			counts[i] = random.IntN(4) // empty ones too
			total += float64(counts[i])
			le := "+Inf"
			if i < len(bounds) {
				le = fmt.Sprintf("%g", bounds[i])
			}
			samples = append(samples, one("h_bucket", now, total, "le", le, "round", id))
		}
		mu.Unlock()
		require.NoError(t, e.Append(context.Background(), samples))
		want, err := e.Query(context.Background(), fmt.Sprintf(`histogram_quantile(%g, h_bucket{round="%s"})`, rank, id), now)
		require.NoError(t, err)
		got := sampleAt(t, s, now.Add(10*time.Second), target("x", "a"))[0]
		if total == 0 {
			require.Equal(t, engine.Empty, got.State)
			continue
		}
		require.Equal(t, engine.OK, got.State, got.Problem)
		require.InDelta(t, want[0].Value, got.Value, 1e-9, "rank %g of %v", rank, counts)
	}
}

func TestScrapeQuantileOfAllPodsTogether(t *testing.T) {
	one, two := newApplication(t), newApplication(t)
	a := target("x", "a")
	s := build(t, "scrape", &sensors.ScrapeConfig{Port: "http", Metric: "latency_seconds", Quantile: &sensors.QuantileConfig{Rank: 0.5, Window: seconds(30)}},
		sensors.Env{Workloads: workloads{a.ID(): {Pods: []engine.Pod{ready("p", one.address), ready("q", two.address)}}}})
	one.latency.Observe(0.7) // before the window
	require.Equal(t, engine.Empty, sampleAt(t, s, now, a)[0].State)
	got := sampleAt(t, s, now.Add(10*time.Second), a)[0]
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "nothing was observed within 30s"}, got)
	for range 10 {
		one.latency.Observe(0.15)
		two.latency.Observe(0.3)
	}
	got = sampleAt(t, s, now.Add(20*time.Second), a)[0]
	require.Equal(t, engine.OK, got.State, got.Problem)
	require.InDelta(t, 0.2, got.Value, 1e-9)
	require.Equal(t, 30*time.Second, got.Window)
}

// If one application fails in any way, only its own signal is an Error, in time.
func TestScrapeFaultsKeepToTheirTarget(t *testing.T) {
	good := newApplication(t)
	good.requests.WithLabelValues("200", "/").Add(5)
	faults := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"drips":       {drip("# a comment"), "no full answer in time"},
		"hangs":       {hang, "no full answer in time"},
		"500":         {text(500, "text/plain", "oops"), "answered 500 Internal Server Error"},
		"HTML":        {text(200, "text/html", "<html>"), "answered text/html, not a page of metrics"},
		"HTML, plain": {text(200, "text/plain", "<html>"), "can't be read"},
		"nothing":     {text(200, "text/plain", " \n"), "answered an empty page"},
		"text":        {text(200, "text/plain", "requests_total many\n"), "can't be read"},
		"100 MB":      {huge("# ", true), "more than 8 MiB"},
		"100 MB more": {huge("# ", false), "more than 8 MiB"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}, "redirected to another host"},
	}
	fleet := []engine.Target{target("x", "good-before")}
	view := workloads{
		fleet[0].ID(): {Pods: []engine.Pod{ready("p", good.address)}},
	}
	var names []string
	for name, f := range faults {
		tg := target("x", fmt.Sprint("bad-", len(names)))
		names, fleet = append(names, name), append(fleet, tg)
		// The sum is wrong even if a second pod is healthy.
		view[tg.ID()] = engine.Workload{Pods: []engine.Pod{ready("p", strings.TrimPrefix(serve(t, f.answer), "http://")), ready("q", good.address)}}
	}
	fleet = append(fleet, target("x", "good-after"))
	view[fleet[len(fleet)-1].ID()] = view[fleet[0].ID()]

	s := build(t, "scrape", &sensors.ScrapeConfig{Port: "http", Metric: "requests_total"}, sensors.Env{Workloads: view})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	got, err := s.Sample(ctx, now, fleet)
	require.NoError(t, err)
	require.NoError(t, ctx.Err(), "a sensor answers before its deadline")
	for i, tg := range fleet {
		if strings.HasPrefix(tg.Name, "good") {
			require.Equal(t, engine.Signal{State: engine.OK, Value: 5.0, At: now}, got[i], tg.Name)
			continue
		}
		require.Equal(t, engine.Error, got[i].State, names[i-1])
		require.Contains(t, got[i].Problem, faults[names[i-1]].want, names[i-1])
	}
}

// More applications hang than are polled concurrently: from the second sample on, the others
// are read.
func TestScrapeAsksTheLateOnesLast(t *testing.T) {
	good := newApplication(t)
	good.requests.WithLabelValues("200", "/").Add(5)
	slow := strings.TrimPrefix(serve(t, hang), "http://")
	view := workloads{}
	var fleet []engine.Target
	for i := range 200 {
		tg := target("x", fmt.Sprint("t", i))
		pod := engine.Pod{Name: "p", Ready: true, Ports: map[string]string{"http": fmt.Sprintf("%s/%d?", slow, i)}}
		if i >= 150 {
			pod.Ports["http"] = fmt.Sprintf("%s/%d?", good.address, i)
		}
		fleet, view[tg.ID()] = append(fleet, tg), engine.Workload{Pods: []engine.Pod{pod}}
	}
	s := build(t, "scrape", &sensors.ScrapeConfig{Port: "http", Metric: "requests_total"}, sensors.Env{Workloads: view})
	states := func() map[engine.State]int {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		got, err := s.Sample(ctx, now, fleet)
		require.NoError(t, err)
		out := map[engine.State]int{}
		for i, sig := range got {
			out[sig.State]++
			require.NotEqual(t, engine.Empty, sig.State, i)
		}
		return out
	}
	states()
	require.Eventually(t, func() bool { return states()[engine.OK] == 50 }, 10*time.Second, time.Millisecond)
}

func TestScrapeTimestampsOfThePage(t *testing.T) {
	measured := now.Add(-45 * time.Second)
	page := serve(t, text(200, "text/plain; version=0.0.4", fmt.Sprintf("a{x=\"1\"} 1 %d\na{x=\"2\"} NaN\nb +Inf\nc{quantile=\"0.5\"} 3\n", measured.UnixMilli())))
	sample := func(metric string, labels map[string]string) engine.Signal {
		return sampleAt(t, build(t, "scrape", &sensors.ScrapeConfig{URL: page, Metric: metric, Labels: labels}, sensors.Env{}), now, target("x", "a"))[0]
	}
	got := sample("a", map[string]string{"x": "1"})
	require.Equal(t, measured.UnixMilli(), got.At.UnixMilli())
	require.Equal(t, engine.OK, got.State)
	require.Equal(t, engine.NaN, sample("a", nil).State)
	require.Equal(t, engine.NaN, sample("b", nil).State)
	require.Equal(t, 3.0, sample("c", map[string]string{"quantile": "0.5"}).Value)
}

func TestURLPlaceholders(t *testing.T) {
	var asked atomic.Value
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.RequestURI())
		_, _ = fmt.Fprintln(w, "a 1")
	})
	s := build(t, "scrape", &sensors.ScrapeConfig{URL: host + "/{namespace}/{name}?v={label:app.kubernetes.io/version}", Metric: "a"}, sensors.Env{})
	require.Equal(t, engine.OK, sampleAt(t, s, now, target("x", "a", "app.kubernetes.io/version", "v1.2_3"))[0].State)
	require.Equal(t, "/x/a?v=v1.2_3", asked.Load())
	for value, want := range map[string]string{
		"../../admin": `{label:app.kubernetes.io/version}: "../../admin" can't stand in a URL`, "a&b=c": "can't stand in a URL", "": "can't stand in a URL", "..": "can't stand in a URL",
	} {
		got := sampleAt(t, s, now, target("x", "a", "app.kubernetes.io/version", value))[0]
		require.Equal(t, engine.Error, got.State)
		require.Contains(t, got.Problem, want)
	}
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "the target has no label app.kubernetes.io/version"}, sampleAt(t, s, now, target("x", "a"))[0])
}

func TestScrapeCheck(t *testing.T) {
	for name, c := range map[string]struct {
		config sensors.ScrapeConfig
		want   []string
	}{
		"url":         {sensors.ScrapeConfig{URL: "http://{name}.{namespace}:8080/{label:x}", Metric: "a"}, nil},
		"port":        {sensors.ScrapeConfig{Port: "http", Metric: "a", Rate: seconds(1)}, nil},
		"neither":     {sensors.ScrapeConfig{Metric: "a"}, []string{"url: give either url or port"}},
		"both":        {sensors.ScrapeConfig{URL: "http://x", Port: "http", Path: "/x", Metric: "a"}, []string{"url: give either url or port", "path: goes with port; put it into url"}},
		"path":        {sensors.ScrapeConfig{Port: "http", Path: "x", Metric: "a"}, []string{"path: begins with /"}},
		"placeholder": {sensors.ScrapeConfig{URL: "http://{nme}/", Metric: "a"}, []string{"url: {nme}/ is not a placeholder; there are {name}, {namespace} and {label:NAME}"}},
		"unclosed":    {sensors.ScrapeConfig{URL: "http://{name", Metric: "a"}, []string{"url: {name is not a placeholder; there are {name}, {namespace} and {label:NAME}"}},
		"no host":     {sensors.ScrapeConfig{URL: "http:///x", Metric: "a"}, []string{"url: has no host"}},
		"two answers": {sensors.ScrapeConfig{Port: "http", Metric: "a", Aggregate: "sum", Rate: seconds(1), Quantile: &sensors.QuantileConfig{}}, []string{"rate: excludes quantile", "aggregate: a quantile is of all observations together; drop it"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.config.Check().Lines()) })
	}
	require.Equal(t, []string{"rank: must be above 0 and at most 1", "window: must be positive"}, sensors.QuantileConfig{Rank: 99}.Check().Lines())
	_, err := sensors.Kinds["scrape"].New(&sensors.ScrapeConfig{Port: "http", Metric: "a"}, sensors.Env{})
	require.ErrorContains(t, err, "no orchestrator runs here")
}
