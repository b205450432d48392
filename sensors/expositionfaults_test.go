package sensors

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// scrapeOne returns the signal of one target whose page is at an address.
func scrapeOne(t testing.TB, address string, c ScrapeConfig) engine.Signal {
	t.Helper()
	c.URL = address
	c.Timeout = manifest.Duration{Duration: time.Minute}
	sensor, err := newScrape(&c, Env{})
	require.NoError(t, err)
	got, err := sensor.Sample(t.Context(), time.Now(), []engine.Target{{Namespace: "x", Name: "y"}})
	require.NoError(t, err)
	return got[0]
}

// A fault because of which Prometheus drops the whole page, or silently drops a sample, only
// affects the metric that has it.
func TestFaultCostsItsMetricAlone(t *testing.T) {
	ahead := time.Now().Add(24 * time.Hour)
	for name, c := range map[string]struct {
		page
		oracle  string // metrics that Prometheus stores
		refused bool   // it refuses the page
		bad     string // the metric with the fault
		problem string
	}{
		"label twice": {
			page: page{kind: textKind, body: "load 3\nother{a=\"1\",a=\"2\"} 1\n"}, refused: true,
			bad: "other", problem: `the sample {__name__="other", a="1", a="2"} has the label a twice`,
		},
		"label of the name": {
			page: page{kind: textKind, body: "load 3\nother{__name__=\"x\"} 1\n"}, refused: true,
			bad: "other", problem: "has the label __name__ twice",
		},
		"no name": {
			page: page{kind: textKind, body: "{\"\",a=\"b\"} 1\nload 3\n"}, refused: true,
			bad: "", problem: "",
		},
		"ahead of now": {
			page:   page{kind: textKind, body: fmt.Sprintf("load 3\nother 1 %d\nother{a=\"b\"} 2\n", ahead.UnixMilli())},
			oracle: "load", bad: "other", problem: "more than 10 minutes ahead of now",
		},
		"milliseconds where seconds are due": {
			page:   page{kind: openKind, body: fmt.Sprintf("load 3\nother 1 %d\n# EOF\n", time.Now().UnixMilli())},
			oracle: "load", bad: "other", problem: `the sample {__name__="other"} is stamped`,
		},
		"beyond all time": {
			page:   page{kind: textKind, body: fmt.Sprintf("load 3\nother 1 %d\n", math.MaxInt64)},
			oracle: "load", bad: "other", problem: "9223372036854775807 ms after 1970, more than 10 minutes ahead",
		},
		"before 1970": {
			page:   page{kind: openKind, body: "load 3\nother 1 -0.001\n# EOF\n"},
			oracle: "load", bad: "other", problem: `the sample {__name__="other"} is stamped -1 ms, which is before 1970`,
		},
		"before all time": {
			page:   page{kind: openKind, body: "load 3\nother 1 -1e300\n# EOF\n"},
			oracle: "load", bad: "other", problem: "before 1970",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servePages(t, map[string]page{"page": c.page})
			want, err := scrapeByPrometheus(t, s, "page")
			require.NoError(t, err)
			require.Equal(t, c.refused, want.refused)
			if c.oracle != "" {
				require.Len(t, want.named(c.oracle), 1)
			}
			address := s.server.URL + "/page"
			got := scrapeOne(t, address, ScrapeConfig{Metric: "load"})
			require.Equal(t, engine.OK, got.State, got.Problem)
			require.Equal(t, 3.0, got.Value)
			if c.bad != "" {
				got = scrapeOne(t, address, ScrapeConfig{Metric: c.bad})
				require.Equal(t, engine.Error, got.State)
				require.Contains(t, got.Problem, c.problem)
				require.Contains(t, got.Problem, address)
			}
		})
	}
}

// Prometheus accepts an empty page. The sensor does not: the application has no metrics yet,
// or it is another program.
func TestEmptyPageIsAnError(t *testing.T) {
	for _, body := range []string{"", " \n", "\n\n\t"} {
		s := servePages(t, map[string]page{"page": {kind: textKind, body: body}})
		want, err := scrapeByPrometheus(t, s, "page")
		require.NoError(t, err)
		require.False(t, want.refused)
		require.Empty(t, want.floats)
		got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{Metric: "load"})
		require.Equal(t, engine.Error, got.State)
		require.Contains(t, got.Problem, "answered an empty page")
	}
}

// Like Prometheus, the sensor only reads a page with status 200: with another status it is
// partial, or comes from a proxy.
func TestPageOfAnotherStatusIsAnError(t *testing.T) {
	for _, code := range []int{200, 201, 202, 203, 204, 206, 299, 404, 503} {
		s := servePages(t, map[string]page{"page": {handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", textKind)
			w.WriteHeader(code)
			_, _ = w.Write([]byte("load 3\n")) // of 204 it goes nowhere
		})}})
		want, err := scrapeByPrometheus(t, s, "page")
		require.NoError(t, err)
		got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{Metric: "load"})
		require.Equal(t, want.refused, got.State == engine.Error, "%d: %s", code, got.Problem)
		require.Equal(t, code != 200, want.refused, code)
		if want.refused {
			require.Contains(t, got.Problem, fmt.Sprintf("answered %d", code))
		}
	}
}

// A page that Prometheus refuses is an error with the line of the fault.
func TestUnreadablePageNamesItsLine(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for name, c := range map[string]struct {
		kind, body, want string
	}{
		"text":          {textKind, "# HELP a b\n\n \t\na{x=\"first\nsecond\"} 1\nload 3\nother many\n", `line 7: strconv.ParseFloat: parsing "many": invalid syntax`},
		"its text":      {textKind, "load 3\nother many\n", `: "other many"`},
		"first line":    {textKind, "<html>\n", `line 1: expected a valid start token, got "<" ("INVALID"): "<html>"`},
		"last line":     {textKind, "load 3\nother", `line 2: expected value after metric`},
		"line ends":     {textKind, "load 3\r\n", "line 1: "},
		"type":          {textKind, "load 3\n# TYPE load fancy\n", `line 2: invalid metric type "fancy": "# TYPE load fancy"`},
		"long":          {textKind, "load{a=\"" + long + "\"} many\n", `line 1: strconv.ParseFloat`},
		"OpenMetrics":   {openKind, "# TYPE a gauge\na 1\n\nb 2\n# EOF\n", "line 3: "},
		"no EOF":        {openKind, "a 1\n", "after its last line: data does not end with # EOF"},
		"more":          {openKind, "a 1\n# EOF\nb 2\n", `line 2: unexpected data after # EOF: "# EOF"`},
		"unit":          {openKind, "# UNIT a bytes\na 1\n# EOF\n", `line 1: unit "bytes" not a suffix of metric "a"`},
		"protobuf":      {protobufFormat, "a 1\n", "it is not protobuf"},
		"HTML":          {"text/html", "<html>", "answered text/html, not a page of metrics: its Content-Type must be text/plain, application/openmetrics-text"},
		"OpenMetrics 2": {"application/openmetrics-text; version=2.0.0", "a 1\n# EOF\n", "answered application/openmetrics-text; version=2.0.0, not a page of metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servePages(t, map[string]page{"page": {kind: c.kind, body: c.body}})
			got := scrapeOne(t, s.server.URL+"/page", ScrapeConfig{Metric: "load"})
			require.Equal(t, engine.Error, got.State)
			require.Contains(t, got.Problem, c.want)
			require.Less(t, len(got.Problem), 500)
		})
	}
}
