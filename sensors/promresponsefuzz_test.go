package sensors

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// answering is a server that responds with a given body as JSON.
func answering(f *testing.F) (address string, says *atomic.Pointer[string]) {
	says = new(atomic.Pointer[string])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(*says.Load()))
	}))
	f.Cleanup(srv.Close)
	return srv.URL, says
}

// whole fails unless a reading is valid: it has a signal for each target, a problem if the
// signal is not OK, and can be marshaled.
func whole(t *testing.T, r engine.Reading, fleet []engine.Target) {
	t.Helper()
	require.Len(t, r, len(fleet))
	for _, s := range r {
		require.Contains(t, engine.States, s.State)
		require.Equal(t, s.State == engine.OK, s.Value != nil, "%+v", s)
		require.True(t, s.State == engine.OK || s.State == engine.Empty || s.Problem != "", "%+v", s)
		_, err := json.Marshal(s.Value)
		require.NoError(t, err, "it can't be written to the journal")
		require.False(t, s.State == engine.OK && len(s.Missing) > 0, "%+v", s)
		if value, is := s.Value.(map[string]any); is {
			require.NotEmpty(t, value)
		}
	}
}

func aFleet() []engine.Target {
	return []engine.Target{
		{Kind: "Deployment", Namespace: "ns", Name: "a", Labels: map[string]string{"odd": "~1/\x00"}}, {Kind: "Deployment", Namespace: "ns", Name: "b"},
	}
}

var deep = strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)

// FuzzHTTPAnswer samples an application with an arbitrary response.
func FuzzHTTPAnswer(f *testing.F) {
	for _, answer := range []string{
		`{"v":1,"t":1700000000}`, `{"v":1,"t":"2026-03-01T12:00:00Z"}`, `{"v":1,"t":"9999-12-31T23:59:59.999999999-23:59"}`, `{"v":1,"t":"0000-01-01T00:00:00+23:59"}`,
		`{"v":1e100000,"t":1}`, `{"v":-0.0,"t":-99999999999}`, `{"v":1,"t":99999999999}`, `{"v":1,"t":1e308}`, `{"v":null}`, `{"v":"NaN","t":1}`, `{"v":1,"v":2,"t":1}`, `{"v":{"v":[]},"t":[]}`,
		"{\"v\":\"\xff\xfe\",\"t\":1}", "{\"v\":\"\\u0000\\u001b[2J\",\"t\":1}", `{"v":` + deep + `,"t":1}`, strings.Repeat(`{"v":`, 20_000), `{"v":1} {"v":2}`, ``, `nul`, "\xef\xbb\xbf{}", `[1,2]`,
	} {
		f.Add(answer, "number", "/v")
		f.Add(answer, "object", "")
		f.Add(answer, "string", "/v/{name}")
	}
	address, says := answering(f)
	at := time.Unix(1_700_000_000, 0).UTC()
	f.Fuzz(func(t *testing.T, answer, kind, pointer string) {
		says.Store(&answer)
		for _, stamp := range []string{"", "/t"} {
			s, err := newHTTP(&HTTPConfig{URL: address, Pointer: pointer, Type: kind, Timestamp: stamp}, Env{})
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			r, err := s.Sample(ctx, at, aFleet())
			cancel()
			if err != nil {
				require.False(t, json.Valid([]byte(answer)) && !strings.Contains(answer, "e") && !strings.Contains(answer, "E") && len(answer) < 300, "valid, and refused: %v", err)
				continue
			}
			whole(t, r, aFleet())
			for _, s := range r {
				require.True(t, s.State != engine.OK || jsonType(s.Value) == kind)
			}
		}
	})
}

// prometheusAnswers are responses of a Prometheus and of a hostile server.
var prometheusAnswers = []string{
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"namespace":"ns","deployment":"a","le":"1"},"value":[1700000000,"1"]},{"metric":{"namespace":"ns","deployment":"a","le":"+Inf"},"value":[1700000000,"200"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"+Inf"},"value":[1700000000,"200"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"1"},"value":[1700000000,"1"]},{"metric":{"le":"1"},"value":[1700000000,"2"]},{"metric":{},"value":[1700000000,"3"]},{"metric":{"le":""},"value":[1700000000,"4"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"1","namespace":"ns"},"value":[1700000000,"NaN"]},{"metric":{"le":"\u0000","namespace":"ns"},"value":[1e15,"1"]},{"metric":{"le":"2","namespace":"ns"},"histogram":[1700000000,{"count":"1","sum":"1"}]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"+Inf"},"value":[1e15,"200"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"NaN"},"value":[-9223372036854775,"1e308"]},{"metric":{"le":"0x1p3"},"value":[1,"1"]},{"metric":{"le":"-0"},"value":[1,"1"]},{"metric":{"le":"0"},"value":[1,"1"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"namespace":"ns","deployment":"a"},"value":[1700000000,"NaN"]},{"metric":{"namespace":"ns","deployment":"a"},"value":[1700000000,"-Inf"]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[null]}}`, `{"status":"success","data":{"resultType":"vector","result":[{}]}}`, `{"status":"success","data":{"resultType":"vector","result":null}}`,
	`{"status":"success","data":{"resultType":"scalar","result":[1700000000,"1"]}}`, `{"status":"success","data":{"resultType":"scalar","result":[]}}`, `{"status":"success","data":{"resultType":"scalar","result":null}}`,
	`{"status":"success","data":{"resultType":"string","result":[1700000000,"1"]}}`, `{"status":"success","data":{"resultType":"matrix","result":[null,{"metric":{},"values":[[1e15,"1"],null]}]}}`,
	`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"1"],[1700000001,"1e999"]]}]}}`, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1700000000,{"count":"1","sum":"1","buckets":[[0,"1","2","1"]]}]}]}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"\xff":"\xff"},"value":[1700000000,"1"]}]},"warnings":["\u001b[2J"]}`,
	`{"status":"error","errorType":"\u0000","error":"\u001b[2J"}`, `{"status":"success","data":{"resultType":"?","result":{}}}`, `{}`, `null`, ``, `{"status":"success","data":{"resultType":"vector","result":` + deep + `}}`,
	`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":["x",1]}]}}`, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e100000,"1"]}]}}`,
}

// FuzzPrometheusAnswer samples a Prometheus server with an arbitrary response.
func FuzzPrometheusAnswer(f *testing.F) {
	for _, answer := range prometheusAnswers {
		f.Add(answer)
	}
	address, says := answering(f)
	env := Env{Prometheus: address}
	number, err := newPrometheus(&PrometheusConfig{Query: "x"}, env)
	require.NoError(f, err)
	past := RangeConfig{}
	past.Window.Duration, past.Step.Duration = time.Hour, time.Minute
	points, err := newPrometheus(&PrometheusConfig{Query: "x", Range: &past}, env)
	require.NoError(f, err)
	buckets, err := newDrift(&DriftConfig{Query: "x", Bins: "le", MinSamples: 1, Smoothing: 1e-4, Reference: DriftReference{Counts: map[string]float64{"1": 1, "+Inf": 1e15}}}, env)
	require.NoError(f, err)
	labels, err := newDrift(&DriftConfig{Query: "x", Bins: "deployment", MinSamples: 1, Smoothing: 1e-4, Reference: DriftReference{Query: "x offset 1d"}}, env)
	require.NoError(f, err)
	byLabel, err := newPrometheus(&PrometheusConfig{Query: "x", By: "le"}, Env{Prometheus: address, StaleAfter: time.Minute})
	require.NoError(f, err)
	byMatched, err := newPrometheus(&PrometheusConfig{Query: "x", By: "le", Match: map[string]string{"namespace": "namespace"}}, env)
	require.NoError(f, err)
	at := time.Unix(1_700_000_000, 0).UTC()
	f.Fuzz(func(t *testing.T, answer string) {
		says.Store(&answer)
		for _, s := range []engine.Sensor{number, points, buckets, labels, byLabel, byMatched} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			r, err := s.Sample(ctx, at, aFleet())
			cancel()
			if err != nil {
				require.Contains(t, err.Error(), " ")
				continue
			}
			whole(t, r, aFleet())
		}
	})
}

// FuzzDrift compares two arbitrary distributions: every statistic is a number within its range.
func FuzzDrift(f *testing.F) {
	f.Add("le", "1", 1.0, "+Inf", 2.0, "1", 3.0, "+Inf", 1e15)
	f.Add("le", "NaN", 1.0, "1e400", 0.0, "0x1p4", 5e-324, "-0", 1.0)
	f.Add("class", "", 0.0, "\xff", 1e-300, "a", 1e15, "a", 1.0)
	f.Add("class", "a", 1e15, "b", 5e-324, "b", 1e15, "c", 5e-324)
	f.Add("class", "0", 1.0, "1", 0.0, "1", 5e-324, "0", 1.0) // its js was no number
	f.Add("class", "a", math.Inf(1), "b", math.NaN(), "b", -1.0, "c", 1e16)
	f.Fuzz(func(t *testing.T, label, a string, na float64, b string, nb float64, c string, nc float64, d string, nd float64) {
		bins := binning{label: label}
		reference := DriftReference{Counts: map[string]float64{c: nc, d: nd}}
		config := &DriftConfig{Query: "x", Bins: label, MinSamples: 1, Smoothing: 1e-4, Reference: reference}
		if len(config.Check())+len(reference.Check()) > 0 {
			return
		}
		now, wrong := bins.fixed(map[string]float64{a: na, b: nb})
		if len(wrong) > 0 || checkCount(na) != nil || checkCount(nb) != nil || math.IsNaN(na+nb) {
			return
		}
		was, wrong := bins.fixed(reference.Counts)
		require.Empty(t, wrong)
		for _, exact := range []bool{false, true} {
			s := &driftSensor{bins: bins, baseline: referenceOf(exact), minSamples: 1, floor: 1e-4}
			got := s.signal(engine.Signal{State: engine.OK, Value: now}, engine.Signal{State: engine.OK, Value: was})
			whole(t, engine.Reading{got}, make([]engine.Target, 1))
			if got.State != engine.OK {
				continue
			}
			v := got.Value.(map[string]any)
			require.GreaterOrEqual(t, v["psi"], 0.0)
			require.True(t, v["js"].(float64) >= 0 && v["js"].(float64) <= 1, "js is %v", v["js"])
			if ks, ordered := v["ks"].(float64); ordered {
				require.True(t, ks >= 0 && ks <= 1, "ks is %v", ks)
			}
			if p, tested := v["p_value"].(float64); tested {
				require.True(t, p >= 0 && p <= 1, "p_value is %v", p)
				require.GreaterOrEqual(t, v["chi2"], 0.0)
			}
		}
	})
}

func referenceOf(exact bool) driftBaseline { return driftBaseline{isShares: exact} }
