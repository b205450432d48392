package sensors_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Warnings and marks of several servers of Prometheus' API, as they write them.
func TestPartialAnswersAreNoMeasurements(t *testing.T) {
	const vector = `"data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"3"]}]}`
	const matrix = `"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"3"]]}]}`
	const bins = `"data":{"resultType":"vector","result":[{"metric":{"c":"a"},"value":[1700000000,"300"]},{"metric":{"c":"b"},"value":[1700000000,"300"]}]}`
	for name, c := range map[string]struct {
		says    string
		partial string // "" for a whole answer
	}{
		"VictoriaMetrics, partial":     {`"isPartial":true`, "it has isPartial"},
		"VictoriaMetrics, whole":       {`"isPartial":false`, ""},
		"null":                         {`"isPartial":null`, ""},
		"with space":                   {"\"isPartial\" :\n true", "it has isPartial"},
		"Thanos, a store that is away": {`"warnings":["fetch series for {region=\"eu\"} : rpc error: code = Unavailable desc = connection refused"]`, "connection refused"},
		"Thanos, no store":             {`"warnings":["No StoreAPIs matched for this query"]`, "No StoreAPIs matched"},
		"Cortex":                       {`"warnings":["Query result may contain partial data."]`, "may contain partial data"},
		"remote read":                  {`"warnings":["remote_read: remote server http://b/api/v1/read returned http status 503"]`, "status 503"},
		"a limit in the address":       {`"warnings":["results truncated due to limit"]`, "truncated due to limit"},
		"warnings left out, of whom is not known": {`"warnings":["PromQL warning: x","3 more warning annotations omitted"]`, "3 more warning annotations omitted"},
		"PromQL's own": {`"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]`, ""},
		"PromQL's infos, of a server before infos": {`"warnings":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"a\" (1:6)"]`, ""},
		"infos":                             {`"infos":["PromQL info: ignored histogram in sum aggregation"]`, ""},
		"PromQL's own, and one that is not": {`"warnings":["PromQL warning: x","store a: deadline exceeded"]`, "the warning: store a: deadline exceeded;"},
		"one that only speaks of PromQL's warnings": {`"warnings":["store a: PromQL warning: x"]`, "store a: PromQL warning"},
		"no warnings":         {`"warnings":[]`, ""},
		"the word in a label": {`"stats":{"isPartial":true}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := vector
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				text(200, "application/json", `{"status":"success",`+c.says+`,`+data+`}`)(w, r)
			})
			for kind, config := range map[string]any{
				"prometheus": &sensors.PrometheusConfig{Query: "sum(x)"},
				"range":      &sensors.PrometheusConfig{Query: "sum(x)", Range: &sensors.RangeConfig{Window: seconds(20), Step: seconds(10)}},
				"drift": &sensors.DriftConfig{Query: "sum by (c) (x)", Bins: "c", MinSamples: 1, Smoothing: 0.001,
					Reference: sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.5}}},
			} {
				data = map[string]string{"prometheus": vector, "range": matrix, "drift": bins}[kind]
				of := kind
				if kind == "range" {
					of = "prometheus"
				}
				s := build(t, of, config, sensors.Env{Prometheus: address})
				if c.partial == "" {
					require.Equal(t, engine.OK, sampleAt(t, s, now, target("x", "a"))[0].State, kind)
					continue
				}
				_, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
				require.ErrorIs(t, err, sensors.ErrPartial, kind)
				require.ErrorContains(t, err, "the server calls its answer partial")
				require.ErrorContains(t, err, c.partial)
				require.ErrorContains(t, err, "?deny_partial_response=1 (VictoriaMetrics) at the end of the address", "the fix is not cut off")
			}
		})
	}
}

// The parameters of an address are in all requests: in both types of queries, in those to a
// server that does not accept POST, and together with the look-back.
func TestAddressKeepsItsParameters(t *testing.T) {
	var mu sync.Mutex
	var got []string
	for _, noPost := range []int{0, 403, 405, 501} {
		got = nil
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if noPost != 0 && r.Method == http.MethodPost {
				w.WriteHeader(noPost)
				return
			}
			_ = r.ParseForm()
			mu.Lock()
			got = append(got, fmt.Sprint(r.Method, r.URL.Path, r.Form.Get("partial_response"), " ", r.Form.Get("deny_partial_response"), r.Form["x"][:2], r.Form.Get("lookback_delta"), r.Form["query"]))
			mu.Unlock()
			answer := emptyVector
			if strings.HasSuffix(r.URL.Path, "query_range") {
				answer = strings.Replace(answer, "vector", "matrix", 1)
			}
			text(200, "application/json", answer)(w, r)
		})
		address += "/select/0/prometheus?partial_response=false&deny_partial_response=1&x=a%26b&x=c"
		for _, config := range []*sensors.PrometheusConfig{
			{Query: "a + b"}, {Query: "a + b", Range: &sensors.RangeConfig{Window: seconds(20), Step: seconds(10)}},
		} {
			s := build(t, "prometheus", config, sensors.Env{Prometheus: address, StaleAfter: 1500 * time.Millisecond})
			_ = sampleAt(t, s, now)
		}
		method := http.MethodPost
		if noPost != 0 {
			method = http.MethodGet
		}
		require.Equal(t, []string{
			method + "/select/0/prometheus/api/v1/queryfalse 1[a&b c]1.5[a + b]",
			method + "/select/0/prometheus/api/v1/query_rangefalse 1[a&b c]1.5[a + b]",
		}, got)
	}
}

func TestParametersThatHaveNoEffectAreRefused(t *testing.T) {
	for parameter, want := range map[string]string{
		"?query=up": "has the parameter query, which the sensor sets itself; leave it out", "?a=b&time=1": "has the parameter time,", "?start=1": "has the parameter start", "?end=1": "has the parameter end",
		"?step=1": "has the parameter step", "?timeout=1s": "has the parameter timeout", "#part": "has a part after #",
	} {
		config := &sensors.PrometheusConfig{Query: "a", Address: "http://prom:9090/x" + parameter}
		require.Len(t, config.Check(), 1)
		require.Contains(t, config.Check().Lines()[0], "address: "+want)
		_, err := sensors.Kinds["prometheus"].New(&sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: "http://prom:9090" + parameter})
		require.ErrorContains(t, err, "--prometheus: "+want)
	}
	config := &sensors.PrometheusConfig{Query: "a", Address: "http://prom:9090/?lookback_delta=1m"}
	require.Empty(t, config.Check())
	_, err := sensors.Kinds["prometheus"].New(config, sensors.Env{})
	require.NoError(t, err)
	_, err = sensors.Kinds["prometheus"].New(config, sensors.Env{StaleAfter: time.Minute})
	require.ErrorContains(t, err, "address: has the parameter lookback_delta, which is staleAfter; keep one")
}

// A warning that makes a result partial is in the error and not also in the log.
func TestPartialIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	address := serve(t, text(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store gone"]}`))
	s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a"}, sensors.Env{Prometheus: address, Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
	require.ErrorIs(t, failing(t, s, target("x", "a")), sensors.ErrPartial)
	require.Empty(t, log.String())
}
