package promengine_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// epoch is a time whose JSON is known.
var epoch = time.UnixMilli(1_700_000_000_500)

func fixture(t *testing.T) (*promengine.Engine, *httptest.Server) {
	t.Helper()
	e := open(t, promengine.Options{ScrapeInterval: time.Second})
	stale := math.Float64frombits(value.StaleNaN)
	require.NoError(t, e.Append(context.Background(), []promengine.Sample{
		{Labels: series("n", "pod", "a"), At: epoch.Add(-60 * time.Second), Value: 1},
		{Labels: series("n", "pod", "a"), At: epoch, Value: 2.5},
		{Labels: series("n", "pod", "b"), At: epoch, Value: math.Inf(1)},
		{Labels: series("old"), At: epoch.Add(-60 * time.Second), Value: 9},
		{Labels: series("gone"), At: epoch.Add(-2 * time.Second), Value: 9},
		{Labels: series("gone"), At: epoch.Add(-time.Second), Value: stale},
		{Labels: series("broken"), At: epoch, Value: math.NaN()},
		{Labels: series("odd", "text", "a\"b\\c\né"), At: epoch, Value: 1e-9},
	}))
	srv := httptest.NewServer(e.Handler())
	t.Cleanup(srv.Close)
	return e, srv
}

func TestAPIAnswersAsPrometheusDoes(t *testing.T) {
	_, srv := fixture(t)
	const at = "1700000000.5"
	vector := func(result string) string {
		return `{"status":"success","data":{"resultType":"vector","result":` + result + `}}`
	}
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
		body   string
	}{
		"vector": {"query", url.Values{"query": {"n"}, "time": {at}}, 200,
			vector(`[{"metric":{"__name__":"n","pod":"a"},"value":[1700000000.5,"2.5"]},{"metric":{"__name__":"n","pod":"b"},"value":[1700000000.5,"+Inf"]}]`)},
		"time as text":    {"query", url.Values{"query": {`n{pod="a"}`}, "time": {"2023-11-14T22:13:20.5Z"}}, 200, vector(`[{"metric":{"__name__":"n","pod":"a"},"value":[1700000000.5,"2.5"]}]`)},
		"empty":           {"query", url.Values{"query": {"nothing"}, "time": {at}}, 200, vector(`[]`)},
		"stale marker":    {"query", url.Values{"query": {"gone"}, "time": {at}}, 200, vector(`[]`)},
		"look-back":       {"query", url.Values{"query": {"old"}, "time": {at}}, 200, vector(`[{"metric":{"__name__":"old"},"value":[1700000000.5,"9"]}]`)},
		"short look-back": {"query", url.Values{"query": {"old"}, "time": {at}, "lookback_delta": {"30"}}, 200, vector(`[]`)},
		"look-back text":  {"query", url.Values{"query": {"old"}, "time": {at}, "lookback_delta": {"30s"}}, 200, vector(`[]`)},
		"not a number":    {"query", url.Values{"query": {"broken"}, "time": {at}}, 200, vector(`[{"metric":{"__name__":"broken"},"value":[1700000000.5,"NaN"]}]`)},
		"odd text":        {"query", url.Values{"query": {"odd"}, "time": {at}}, 200, vector(`[{"metric":{"__name__":"odd","text":"a\"b\\c\né"},"value":[1700000000.5,"1e-09"]}]`)},
		"limit":           {"query", url.Values{"query": {"n"}, "time": {at}, "limit": {"1"}}, 200, strings.TrimSuffix(vector(`[{"metric":{"__name__":"n","pod":"a"},"value":[1700000000.5,"2.5"]}]`), "}") + `,"warnings":["results truncated due to limit"]}`},
		"scalar":          {"query", url.Values{"query": {"1 + 1"}, "time": {at}}, 200, `{"status":"success","data":{"resultType":"scalar","result":[1700000000.5,"2"]}}`},
		"string":          {"query", url.Values{"query": {`"x"`}, "time": {at}}, 200, `{"status":"success","data":{"resultType":"string","result":[1700000000.5,"x"]}}`},
		"matrix":          {"query", url.Values{"query": {`n{pod="a"}[2m]`}, "time": {at}}, 200, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"n","pod":"a"},"values":[[1699999940.5,"1"],[1700000000.5,"2.5"]]}]}}`},
		"range": {"query_range", url.Values{"query": {`n{pod="a"}`}, "start": {"1699999940.5"}, "end": {at}, "step": {"30s"}}, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"n","pod":"a"},"values":[[1699999940.5,"1"],[1699999970.5,"1"],[1700000000.5,"2.5"]]}]}}`},
		"annotation": {"query", url.Values{"query": {`quantile(2, old)`}, "time": {at}}, 200,
			strings.TrimSuffix(vector(`[{"metric":{},"value":[1700000000.5,"+Inf"]}]`), "}") + `,"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]}`},
		"series":             {"series", url.Values{"match[]": {"n", `{__name__=~"o.d"}`}}, 200, `{"status":"success","data":[{"__name__":"n","pod":"a"},{"__name__":"n","pod":"b"},{"__name__":"odd","text":"a\"b\\c\né"},{"__name__":"old"}]}`},
		"series, limited":    {"series", url.Values{"match[]": {"n"}, "limit": {"1"}}, 200, `{"status":"success","data":[{"__name__":"n","pod":"a"}],"warnings":["results truncated due to limit"]}`},
		"labels":             {"labels", url.Values{}, 200, `{"status":"success","data":["__name__","pod","text"]}`},
		"labels of some":     {"labels", url.Values{"match[]": {"n", "old"}}, 200, `{"status":"success","data":["__name__","pod"]}`},
		"no query":           {"query", url.Values{}, 400, ""},
		"bad query":          {"query", url.Values{"query": {"sum("}}, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}`},
		"bad time":           {"query", url.Values{"query": {"n"}, "time": {"soon"}}, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"soon\" to a valid timestamp"}`},
		"bad look-back":      {"query", url.Values{"query": {"n"}, "lookback_delta": {"x"}}, 400, ""},
		"bad timeout":        {"query", url.Values{"query": {"n"}, "timeout": {"-1"}}, 400, ""},
		"bad limit":          {"query", url.Values{"query": {"n"}, "limit": {"-1"}}, 400, ""},
		"no start":           {"query_range", url.Values{"query": {"n"}, "end": {at}, "step": {"1"}}, 400, ""},
		"end before start":   {"query_range", url.Values{"query": {"n"}, "start": {"2"}, "end": {"1"}, "step": {"1"}}, 400, ""},
		"no step":            {"query_range", url.Values{"query": {"n"}, "start": {"1"}, "end": {"2"}}, 400, ""},
		"too many points":    {"query_range", url.Values{"query": {"n"}, "start": {"0"}, "end": {"20000"}, "step": {"1"}}, 400, ""},
		"no match":           {"series", url.Values{}, 400, `{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}`},
		"match of all":       {"series", url.Values{"match[]": {`{a=~".*"}`}}, 400, ""},
		"bad match":          {"labels", url.Values{"match[]": {`{`}}, 400, ""},
		"execution":          {"query", url.Values{"query": {`old * on() n`}, "time": {at}}, 422, ""},
		"timeout":            {"query", url.Values{"query": {`count_over_time(vector(1)[30d:1s])`}, "timeout": {"1ms"}}, 503, ""},
		"timeout of a range": {"query_range", url.Values{"query": {`count_over_time(vector(1)[30d:1s])`}, "start": {"0"}, "end": {"1000"}, "step": {"1"}, "timeout": {"0.001"}}, 503, ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				address := srv.URL + "/api/v1/" + c.path
				var resp *http.Response
				var err error
				if method == http.MethodGet {
					resp, err = http.Get(address + "?" + c.form.Encode())
				} else {
					resp, err = http.PostForm(address, c.form)
				}
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, c.status, resp.StatusCode, string(body))
				require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
				if c.body != "" {
					require.JSONEq(t, c.body, string(body))
				}
				kind := map[int]string{400: "bad_data", 422: "execution", 503: "timeout"}[c.status]
				if kind != "" {
					require.Contains(t, string(body), `"status":"error","errorType":"`+kind+`"`)
				}
			})
		}
	}
}

func TestAPICanceledByTheClient(t *testing.T) {
	e, _ := fixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/query?query="+url.QueryEscape("count_over_time(vector(1)[30d:1s])"), nil)
	e.Handler().ServeHTTP(w, r)
	require.Equal(t, 499, w.Code)
	require.Contains(t, w.Body.String(), `"errorType":"canceled"`)
}

// Prometheus' own client decodes our responses.
func TestAPIThroughPrometheusClient(t *testing.T) {
	_, srv := fixture(t)
	client, err := api.NewClient(api.Config{Address: srv.URL})
	require.NoError(t, err)
	prom, ctx := v1.NewAPI(client), context.Background()

	got, _, _, err := prom.Query(ctx, "n", epoch, v1.WithTimeout(time.Second), v1.WithLookbackDelta(time.Second))
	require.NoError(t, err)
	require.Equal(t, model.Vector{
		{Metric: model.Metric{"__name__": "n", "pod": "a"}, Value: 2.5, Timestamp: model.TimeFromUnixNano(epoch.UnixNano())},
		{Metric: model.Metric{"__name__": "n", "pod": "b"}, Value: model.SampleValue(math.Inf(1)), Timestamp: model.TimeFromUnixNano(epoch.UnixNano())},
	}, got)

	values, _, _, err := prom.LabelValues(ctx, "pod", []string{"n"}, time.Time{}, time.Time{})
	require.NoError(t, err)
	require.Equal(t, model.LabelValues{"a", "b"}, values)
	names, _, _, err := prom.LabelNames(ctx, nil, epoch, epoch)
	require.NoError(t, err)
	require.Contains(t, names, model.LabelName("pod"))
	sets, _, _, err := prom.Series(ctx, []string{"n"}, epoch.Add(-time.Hour), epoch)
	require.NoError(t, err)
	require.Len(t, sets, 2)

	_, _, _, err = prom.Query(ctx, "sum(", epoch)
	var apiErr *v1.Error
	require.ErrorAs(t, err, &apiErr)
	require.Equal(t, v1.ErrBadData, apiErr.Type)
}
