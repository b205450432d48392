package sensors

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
)

const (
	textKind = "text/plain; version=0.0.4; charset=utf-8"
	openKind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// corpus is pages as exporters write them, and unusual ones that Prometheus reads or refuses.
func corpus(t testing.TB) map[string]page {
	out := map[string]page{}
	for ending, kind := range map[string]string{".prom": textKind, ".om": openKind} {
		files, err := filepath.Glob(filepath.Join("testdata", "expositions", "*"+ending))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			out[filepath.Base(file)] = page{kind: kind, body: string(body)}
		}
	}
	now := time.Now()
	ms := func(ago time.Duration) int64 { return now.Add(-ago).UnixMilli() }
	seconds := func(ago time.Duration) string { return fmt.Sprintf("%.3f", float64(ms(ago))/1000) }

	text := map[string]string{
		"federate": fmt.Sprintf(`# TYPE up untyped
up{instance="10.0.0.1:9100",job="node",prometheus="a"} 1 %[1]d
# TYPE requests:rate5m untyped
requests:rate5m{instance="",job="app"} 4.25 %[1]d
# TYPE latency_seconds_bucket untyped
latency_seconds_bucket{instance="x:1",job="app",le="0.1"} 3 %[1]d
latency_seconds_bucket{instance="y:1",job="app",le="1.0"} 9 %[1]d
latency_seconds_bucket{instance="y:1",job="app",le="+Inf"} 11 %[1]d
`, ms(7*time.Second)),
		"no newline at the end":          "# TYPE load gauge\nload 3",
		"family in two places":           "# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{s=\"run\"} 1\n# HELP load Load.\n# TYPE load gauge\nload 2\n# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{s=\"wait\"} 4\n",
		"type after its sample":          "load 3\n# TYPE load gauge\n# HELP load Load.\n",
		"type of another kind twice":     "# TYPE load gauge\n# TYPE load counter\nload 3\n# TYPE load histogram\nload_bucket{le=\"1\"} 4\n",
		"family named as a part":         "# TYPE d histogram\nd_bucket{le=\"2\"} 3\nd_bucket{le=\"+Inf\"} 4\nd_sum 5\nd_count 4\n# TYPE d_count gauge\nd_count{of=\"x\"} 9\n",
		"blanks and tabs":                "  \n\t\n# TYPE load gauge\nload 3 \nother{a=\"x\"} 5\t\nthird { a = \"y\" , b=\"z\" , } \t 6\n",
		"blanks before a name":           " load 3\nother 4\n",
		"same series twice":              "load{a=\"1\",b=\"2\"} 3\nload{a=\"1\",b=\"2\"} 4\nload{b=\"2\",a=\"1\"} 5\nload{a=\"2\"} 6\nload{a=\"2\"} 6\n",
		"same series at two times":       fmt.Sprintf("load 1 %d\nload 2 %d\nqueue 1 %d\nqueue 2 %d\nsize 1 %[1]d\nsize 2 %[1]d\n", ms(20*time.Second), ms(10*time.Second), ms(10*time.Second), ms(20*time.Second)),
		"times within one page":          fmt.Sprintf("load{a=\"1\"} 1 %d\nload{a=\"2\"} 2 %d\nload{a=\"3\"} 3\n", ms(3*time.Second), ms(2*time.Minute)),
		"old time":                       fmt.Sprintf("load 1 %d\n", ms(400*24*time.Hour)),
		"1970":                           "load 1 0\nqueue 2 17\n# nothing else\n",
		"a little ahead":                 fmt.Sprintf("load 1 %d\n", ms(-2*time.Minute)),
		"histogram without type":         "d_bucket{le=\"1.0\"} 4\nd_bucket{le=\"+Inf\"} 5\nd_sum 2.5\nd_count 5\n",
		"histogram without infinity":     "# TYPE d histogram\nd_bucket{le=\"1\"} 4\nd_sum 2.5\nd_count 5\n",
		"histogram of buckets":           "# TYPE d histogram\nd_bucket{le=\"0.1\"} 4\nd_bucket{le=\"+Inf\"} 5\n",
		"histogram of sum and count":     "# TYPE d histogram\nd_sum{m=\"a\"} 3\nd_count{m=\"a\"} 12\n",
		"summary of quantiles":           "# TYPE s summary\ns{quantile=\"0.5\"} 0.1\ns{quantile=\"0.99\"} 0.4\n",
		"summary of a sum":               "# TYPE s summary\ns_sum 0.25\n",
		"quantiles of a histogram":       "# TYPE d histogram\nd{quantile=\"0.50\"} 1\nd{quantile=\"0.99\"} 2\nd_bucket{le=\"+Inf\"} 3\nd_count 3\n",
		"fractions":                      "# TYPE d histogram\nd_bucket{le=\"1\"} 0.25\nd_bucket{le=\"2\"} 0.75\nd_bucket{le=\"+Inf\"} 1.5\nd_sum 2\nd_count 1.5\n# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3.75\n",
		"bounds in several spellings":    "# TYPE d histogram\nd_bucket{le=\"1\"} 1\nd_bucket{le=\"1.0\"} 2\nd_bucket{le=\"1e+00\"} 3\nd_bucket{le=\"100000000\"} 4\nd_bucket{le=\"Inf\"} 5\n# TYPE s summary\ns{quantile=\"0.50\"} 3\ns{quantile=\"1\"} 4\n",
		"bounds that are none":           "# TYPE d histogram\nd_bucket{le=\"many\"} 1\nd_bucket{le=\"\"} 2\nd_bucket 3\n",
		"quoted names":                   "# TYPE \"my.load\" gauge\n{\"my.load\",\"k8s.pod\"=\"a\"} 3\n{\"my.load\"} 4\n{\"plain\",a=\"b\"} 5\nplain{\"c.d\"=\"e\"} 6\n",
		"escapes":                        "load{path=\"C:\\\\x\\\\\",text=\"a \\\"b\\\"\\nc\",odd=\"\\q\"} 3\n",
		"line breaks in a label":         "load{a=\"first\nsecond\"} 3\nother 4\n",
		"all of Unicode":                 "load{città=\"Ω\"} 1\n",
		"value of Unicode":               "load{city=\"Zürich 🚀\"} 1\n# HELP load Ωmega\n",
		"labels without a value":         "load{a=\"\",b=\"1\"} 3\nload{b=\"2\",c=\"\"} 4\nload{b=\"2\"} 5\n",
		"empty braces":                   "load{} 3\nqueue {} 4\n",
		"trailing comma":                 "load{a=\"1\",} 3\n",
		"not numbers":                    "load NaN\nqueue +Inf\nsize -Inf\nnan nan\ninf Inf\ninfinity +infinity\n",
		"numbers":                        "a 0x10\nb -0\nc 1e999\n",
		"more numbers":                   "a .5\nb 5.\nc +7\nd 1E3\ne 5e-324\nf 18446744073709551616\ng 007\n",
		"number with underscores":        "a 1_000\n",
		"hexadecimal number":             "a 0x1p4\n",
		"minus nan":                      "load 3\nother -nan\n",
		"Windows line ends":              "# TYPE load gauge\r\nload 3\r\n",
		"bad label":                      "load 3\nother{a-b=\"c\"} 4\n",
		"label without quotes":           "load 3\nother{a=c} 4\n",
		"no value":                       "load 3\nother\n",
		"text for a value":               "load 3\nother many\n",
		"time that is none":              "load 3 soon\n",
		"time in fractions":              "load 3 1795000000.5\n",
		"two times":                      "load 3 1795000000000 5\n",
		"unknown type":                   "# TYPE load stateset\nload 3\n",
		"type without a kind":            "# TYPE load\nload 3\n",
		"type in capitals":               "# TYPE load GAUGE\nload 3\n",
		"exemplar in text":               "load_total 3 # {a=\"b\"} 1\n",
		"EOF in text":                    "load 3\n# EOF\n",
		"text after EOF in text":         "load 3\n# EOF\nqueue 4\n",
		"comments alone":                 "# nothing yet\n#\n# HELP load Load.\n# TYPE load gauge\n",
		"comments of all kinds":          "#no blank\n# HELP\n# TYPES load\n## HELP load x\nload 3\n#\t\n",
		"byte order mark":                "\ufeffload 3\n",
		"zero byte":                      "load{a=\"x\x00y\"} 3\n",
		"invalid UTF-8":                  "load{a=\"\xff\"} 3\n",
		"HTML":                           "<!DOCTYPE html>\n<html><body>sign in</body></html>\n",
		"JSON":                           "{\"load\": 3}\n",
		"names that begin alike":         "load_total 1\nload_count 2\nload 3\nloads 4\n",
		"name as a label":                "load{name=\"x\",le=\"07\",quantile=\"a\"} 3\n",
		"info and enumeration in text":   "# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n# TYPE mode gauge\nmode{mode=\"a\"} 0\nmode{mode=\"b\"} 1\n",
		"a family cut off in its labels": "load 3\nother{a=\"x",
		"summary of nothing":             "# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns{quantile=\"0.99\"} NaN\ns_sum 0\ns_count 0\n",
		"infinite sum":                   "# TYPE d histogram\nd_bucket{le=\"1\"} 1\nd_bucket{le=\"+Inf\"} 2\nd_sum +Inf\nd_count 2\n",
		"buckets that fall":              "# TYPE d histogram\nd_bucket{le=\"1\"} 4\nd_bucket{le=\"2\"} 3\nd_bucket{le=\"+Inf\"} 2\nd_count 9\n",
		"bounds as exponents":            "# TYPE d histogram\nd_bucket{le=\"1e0\"} 4\nd_bucket{le=\"1.0\"} 4\nd_bucket{le=\"1E3\"} 5\nd_bucket{le=\"+inf\"} 6\n",
		"bounds that are not numbers":    "# TYPE d histogram\nd_bucket{le=\"NaN\"} 4\nd_bucket{le=\"+Inf\"} 6\nd_bucket{le=\" 1\"} 2\n",
		"whole numbers beyond 2^53":      "a 9007199254740993\nb -9007199254740993\nc 123456789012345678901234567890\nd 9007199254740993.0\n",
		"small numbers":                  "a 1e-400\nb -1e-323\nc 0.1\nd 1e-7\ne -0\n",
		"a long label":                   "load{a=\"" + strings.Repeat("x", 100_000) + "\"} 3\nother 4\n",
		"many labels":                    "load{" + manyLabels(200) + "} 3\n",
		"label of the engine's own":      "other{__a__=\"b\"} 4\n",
		"instance and job":               "load{instance=\"i\",job=\"j\"} 3\nload{exported_job=\"k\"} 4\n",
		"escaped names":                  "U__my_2e_load 3\nU__my_load{U__a_2e_b=\"c\"} 4\n",
		"emoji for a name":               "{\"load 🚀\",\"🚀\"=\"a\"} 3\n",
		"quotes in a name":               "{\"a\\\"b\\\\c\"} 3\n",
		"name in quotes and out of them": "{\"load\"} 3\nload 4\n",
		"name in the middle of braces":   "{a=\"b\",\"load\"} 3\n",
		"two names":                      "{\"load\",\"other\"} 3\n",
		"no name":                        "{a=\"b\"} 3\n",
		"colons":                         ":load 3\na:b:c 4\nx{a:b=\"c\"} 5\n",
		"digits first":                   "3load 3\n",
		"minus before a time":            "load 3 -5\n",
		"time beyond all":                "load 3 9223372036854775808\n",
		"help with escapes":              "# HELP load a \\n b \\ \"c\"\n# TYPE load gauge\nload 3\n",
		"help of bytes":                  "# HELP load \xff\nload 3\n",
		"a page in Latin-1":              "load{a=\"caf\xe9\"} 3\n",
		"tabs between":                   "load\t3\t\nother{a=\"b\"}\t4\n",
		"vertical tab":                   "load\v3\n",
		"form feed at the end":           "load 3\n\f",
		"untyped and unknown":            "# TYPE a untyped\na 1\n# TYPE b unknown\nb 2\n",
	}
	for name, body := range text {
		out[name] = page{kind: textKind, body: body}
	}

	open := map[string]string{
		"om times":                   fmt.Sprintf("# TYPE load gauge\nload{a=\"1\"} 3 %s\nload{a=\"2\"} 4 %d\n# EOF\n", seconds(5*time.Second), now.Unix()-9),
		"om old time":                "# TYPE load gauge\nload 3 1500000000\n# EOF\n",
		"om exemplars":               "# TYPE load counter\nload_total 3 # {a=\"b\"} 1 1795000000.123\nload_total{c=\"d\"} 4 # {} 0.5\n# EOF\n",
		"om exemplar and time":       fmt.Sprintf("# TYPE load counter\nload_total 3 %s # {a=\"b\"} 1\n# EOF\n", seconds(4*time.Second)),
		"om created":                 "# TYPE load counter\nload_total 3\nload_created 1795000000.5\n# TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\nd_count 1\nd_sum 1\nd_created 1795000000\n# EOF\n",
		"om all types":               "# TYPE a gauge\na 1\n# TYPE b counter\nb_total 2\n# TYPE c unknown\nc 3\n# TYPE d info\nd_info{x=\"y\"} 1\n# TYPE e stateset\ne{e=\"on\"} 1\n# TYPE f gaugehistogram\nf_bucket{le=\"+Inf\"} 4\nf_gcount 4\nf_gsum 2\n# TYPE g summary\ng{quantile=\"0.5\"} 1\ng_count 2\ng_sum 3\n# EOF\n",
		"om unit":                    "# TYPE load_bytes gauge\n# UNIT load_bytes bytes\n# HELP load_bytes x\nload_bytes 3\n# EOF\n",
		"om unit that does not fit":  "# TYPE load gauge\n# UNIT load bytes\nload 3\n# EOF\n",
		"om gauge and counter":       "# HELP r Started\n# TYPE r gauge\nr 4.0\n# HELP r Rate\n# TYPE r counter\nr_total 3.0\n# EOF\n",
		"om without EOF":             "# TYPE load gauge\nload 3\n",
		"om without a last newline":  "# TYPE load gauge\nload 3\n# EOF",
		"om text after EOF":          "# TYPE load gauge\nload 3\n# EOF\nqueue 4\n",
		"om blank line":              "# TYPE load gauge\n\nload 3\n# EOF\n",
		"om comment":                 "# a comment\n# TYPE load gauge\nload 3\n# EOF\n",
		"om EOF alone":               "# EOF\n",
		"om quoted names":            "# TYPE \"my.load\" gauge\n{\"my.load\",\"k8s.pod\"=\"a\"} 3\n# EOF\n",
		"om blank after the value":   "# TYPE load gauge\nload 3 \n# EOF\n",
		"om Windows line ends":       "# TYPE load gauge\r\nload 3\r\n# EOF\r\n",
		"om series twice":            "# TYPE load gauge\nload 3\nload 4\n# EOF\n",
		"om counter without total":   "# TYPE load counter\nload 3\n# EOF\n",
		"om fractions":               "# TYPE d histogram\nd_bucket{le=\"1\"} 0.5\nd_bucket{le=\"+Inf\"} 0.75\nd_count 0.75\nd_sum 1\n# EOF\n",
		"om exemplar on a gauge":     "# TYPE load gauge\nload 3 # {a=\"b\"} 1\n# EOF\n",
		"om long exemplar":           "# TYPE load counter\nload_total 3 # {a=\"" + strings.Repeat("b", 300) + "\"} 1\n# EOF\n",
		"om exemplar without value":  "# TYPE load counter\nload_total 3 # {a=\"b\"}\n# EOF\n",
		"om created before":          "# TYPE load counter\nload_created 1795000000.5\nload_total 3\n# EOF\n",
		"om created of others":       "# TYPE load counter\nload_total{a=\"1\"} 3\nload_created{a=\"2\"} 1795000000.5\n# TYPE queue gauge\nqueue_created 7\n# EOF\n",
		"om unit twice":              "# TYPE load_bytes gauge\n# UNIT load_bytes bytes\n# UNIT load_bytes bytes\nload_bytes 3\n# EOF\n",
		"om info that is not 1":      "# TYPE b info\nb_info{v=\"1\"} 2\n# EOF\n",
		"om states":                  "# TYPE e stateset\ne{e=\"a\"} 1\ne{e=\"b\"} 0\ne{e=\"c\"} 7\n# EOF\n",
		"om negative gauge sum":      "# TYPE f gaugehistogram\nf_bucket{le=\"0\"} 1\nf_bucket{le=\"+Inf\"} 4\nf_gcount 4\nf_gsum -2.5\n# EOF\n",
		"om times of all sizes":      "# TYPE a gauge\na 1 0\n# TYPE b gauge\nb 1 1.5e9\n# TYPE c gauge\nc 1 1500000000.123456789\n# EOF\n",
		"om NaN and infinity":        "# TYPE a gauge\na NaN\n# TYPE b gauge\nb +Inf\n# TYPE c gauge\nc -Inf\n# EOF\n",
		"om EOF with a blank":        "# TYPE load gauge\nload 3\n# EOF \n",
		"om EOF twice":               "# TYPE load gauge\nload 3\n# EOF\n# EOF\n",
		"om two families mixed":      "# TYPE a gauge\n# TYPE b gauge\na{x=\"1\"} 1\nb 2\na{x=\"2\"} 3\n# EOF\n",
		"om exemplar that is broken": "# TYPE load counter\nload_total 3 # {a=\"b\"\n# EOF\n",
	}
	for name, body := range open {
		out[name] = page{kind: openKind, body: body}
	}

	const body = "# TYPE load gauge\nload{a=\"b\"} 3\n"
	for name, p := range map[string]page{
		"kind: none":                  {body: body},
		"kind: bare":                  {kind: "text/plain", body: body},
		"kind: capitals":              {kind: "Text/Plain; Charset=UTF-8", body: body},
		"kind: version 1.0.0":         {kind: "text/plain; version=1.0.0; escaping=allow-utf-8; charset=utf-8", body: body},
		"kind: version 99":            {kind: "text/plain; version=99", body: body},
		"kind: UTF-16":                {kind: "text/plain; charset=utf-16", body: body},
		"kind: escaped values":        {kind: "text/plain; version=1.0.0; escaping=values", body: "U__my_2e_load 3\n"},
		"kind: escaped dots":          {kind: "application/openmetrics-text; version=1.0.0; escaping=dots", body: "# TYPE my_dot_load gauge\nmy_dot_load 3\n# EOF\n"},
		"kind: OpenMetrics 0.0.4":     {kind: "application/openmetrics-text; version=0.0.4", body: body + "# EOF\n"},
		"kind: two at once":           {kind: "text/plain, application/openmetrics-text", body: body},
		"kind: a blank":               {kind: " text/plain ", body: body},
		"kind: parameter twice":       {kind: "text/plain; version=0.0.4; version=1.0.0", body: body},
		"kind: XML":                   {kind: "text/xml", body: body},
		"kind: HTML":                  {kind: "text/html; charset=utf-8", body: body},
		"kind: JSON":                  {kind: "application/json", body: body},
		"kind: bytes":                 {kind: "application/octet-stream", body: body},
		"kind: broken parameter":      {kind: "text/plain; version", body: body},
		"kind: no kind":               {kind: ";;;", body: body},
		"kind: OpenMetrics bare":      {kind: "application/openmetrics-text", body: body + "# EOF\n"},
		"kind: OpenMetrics 0.0.1":     {kind: "application/openmetrics-text; version=0.0.1", body: body + "# EOF\n"},
		"kind: OpenMetrics 2.0.0":     {kind: "application/openmetrics-text; version=2.0.0", body: body + "# EOF\n"},
		"kind: OpenMetrics as text":   {kind: textKind, body: "# TYPE load gauge\nload 3 1795000000.5\n# EOF\n"},
		"kind: text as OpenMetrics":   {kind: openKind, body: "# TYPE load gauge\n\nload 3 \n"},
		"kind: text as protobuf":      {kind: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", body: body},
		"gzip":                        {kind: textKind, body: body, zip: true},
		"gzip of OpenMetrics":         {kind: openKind, body: body + "# EOF\n", zip: true},
		"Go program":                  {handler: program(promhttp.HandlerOpts{})},
		"Go program with dots":        {handler: dotted(), classic: true},
		"Go program, OpenMetrics too": {handler: program(promhttp.HandlerOpts{EnableOpenMetrics: true})},
	} {
		out[name] = p
	}
	return withPaths(out)
}

func manyLabels(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("l%d=\"%d\"", i, i))
	}
	return strings.Join(out, ",")
}

// withPaths makes the names usable in a path.
func withPaths(pages map[string]page) map[string]page {
	out := map[string]page{}
	for name, p := range pages {
		out[strings.NewReplacer(" ", "_", ":", "", ",", "").Replace(name)] = p
	}
	return out
}

// dotted is a Go program with names that are only valid as UTF-8 names.
func dotted() http.Handler {
	r := prometheus.NewRegistry()
	load := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "my.load"}, []string{"k8s.pod"})
	r.MustRegister(load)
	load.WithLabelValues("a").Set(4)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// program is a Go program with metrics of every type, including both types of histograms.
func program(opts promhttp.HandlerOpts) http.Handler {
	r := prometheus.NewRegistry()
	classic := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "classic", Buckets: []float64{0.1, 1}})
	native := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "native", NativeHistogramBucketFactor: 1.1}, []string{"code"})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "both", Buckets: []float64{0.1, 1}, NativeHistogramBucketFactor: 1.1})
	unseen := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "unseen", NativeHistogramBucketFactor: 1.1})
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "summary", Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.001}})
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"code", "path"})
	r.MustRegister(classic, native, both, unseen, summary, counter)
	for i := range 20 {
		v := float64(i*i) / 50
		classic.Observe(v)
		native.WithLabelValues([]string{"200", "500"}[i%2]).Observe(v)
		both.Observe(-v)
		summary.Observe(v)
	}
	counter.WithLabelValues("200", "/").Add(5)
	counter.WithLabelValues("500", "/x").Add(2.5)
	return promhttp.HandlerFor(r, opts)
}
