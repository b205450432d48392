package sensors_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// answering is a server of Prometheus' API with a fixed response.
func answering(t *testing.T, code int, body string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) { text(code, "application/json", body)(w, r) })
}

// A sample that is not a time and a number is an error: it would be decoded as zero.
func TestAnswersWithoutAMeasurementAreErrors(t *testing.T) {
	vector := func(value string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"c":"a"},"value":` + value + `}]}}`
	}
	matrix := func(values string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"c":"a"},"values":` + values + `}]}}`
	}
	scalar := func(value string) string {
		return `{"status":"success","data":{"resultType":"scalar","result":` + value + `}}`
	}
	const (
		sample   = "where there should be a time and a number in quotes"
		measured = "1700000000"
	)
	whole := vector(`[` + measured + `,"3"]`)
	instant := map[string]struct {
		body, want string // "" for one that is taken
	}{
		"whole":                      {whole, ""},
		"with space":                 {strings.NewReplacer(":", " :\n\t", ",", " , ", "[", "[ ", "]", " ]").Replace(whole), ""},
		"result before its type":     {`{"data":{"result":[{"value":[1700000000,"3"],"metric":{"c":"a"}}],"resultType":"vector"},"status":"success"}`, ""},
		"labels like parts":          {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"c":"a","value":"null","values":"[1]"},"value":[1700000000,"3"]}]}}`, ""},
		"labels with quotes":         {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"c":"\\","d":"\"value\":null,{[\\\""},"value":[1700000000,"3"]}]}}`, ""},
		"more beside it":             {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"3"],"of":[1,{"a":null}]}],"stats":{"a":[null,{}]}},"trace":null}`, ""},
		"fractions and exponents":    {vector(`[1.700000000e9,"-3.5e-2"]`), ""},
		"null for a number":          {vector(`[1700000000,null]`), sample},
		"null for a time":            {vector(`[null,"3"]`), sample},
		"a time alone":               {vector(`[1700000000]`), sample},
		"nothing in it":              {vector(`[]`), sample},
		"more in it":                 {vector(`[1700000000,"3","4"]`), sample},
		"null":                       {vector(`null`), sample},
		"a number alone":             {vector(`"3"`), sample},
		"an object":                  {vector(`{"0":1700000000,"1":"3"}`), sample},
		"a number without quotes":    {vector(`[1700000000,3]`), sample},
		"a time in quotes":           {vector(`["1700000000","3"]`), sample},
		"underscores":                {vector(`[1700000000,"1_0"]`), sample},
		"hexadecimal":                {vector(`[1700000000,"0x1p4"]`), sample},
		"empty text":                 {vector(`[1700000000,""]`), "invalid syntax"},
		"comma":                      {vector(`[1700000000,"1,5"]`), "invalid syntax"},
		"blanks":                     {vector(`[1700000000," 7 "]`), "invalid syntax"},
		"too large":                  {vector(`[1700000000,"1e400"]`), "out of range"},
		"scalar":                     {scalar(`[1700000000,"3"]`), ""},
		"scalar of null":             {scalar(`[1700000000,null]`), sample},
		"scalar of a time":           {scalar(`[1700000000]`), sample},
		"scalar of nothing":          {scalar(`[]`), "invalid syntax"},
		"second sample is null":      {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"c":"a"},"value":[1700000000,"3"]},{"metric":{"c":"b"},"value":[1700000000,null]}]}}`, sample},
		"a matrix":                   {matrix(`[[1700000000,"3"]]`), "the answer is a matrix, where a query at one instant has a vector or a scalar"},
		"no status":                  {strings.Replace(whole, `"status":"success",`, ``, 1), `its status is not "success"`},
		"another status":             {strings.Replace(whole, "success", "partial", 1), `its status is not "success"`},
		"status null":                {strings.Replace(whole, `"success"`, `null`, 1), `its status is not "success"`},
		"status that is none":        {strings.Replace(whole, `"success"`, `{"a":"success"}`, 1), `its status is not "success"`},
		"status error with data":     {strings.Replace(whole, `"success"`, `"error","errorType":"execution","error":"boom"`, 1), "execution: boom"},
		"status error and no reason": {strings.Replace(whole, `"success"`, `"error"`, 1), "without a reason"},
		"cut short":                  {whole[:len(whole)-3], "unexpected end of JSON input"},
		"two answers":                {whole + whole, "after top-level value"},
	}
	for name, c := range instant {
		t.Run(name, func(t *testing.T) {
			s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "sum(x)"}, sensors.Env{Prometheus: answering(t, 200, c.body)})
			got, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, engine.OK, got[0].State, got[0].Problem)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "query Prometheus: http://127.0.0.1:", "it says which server")
		})
	}
	for name, c := range map[string]struct{ body, want string }{
		"whole":             {matrix(`[[1700000000,"3"],[1700000010,"4"]]`), ""},
		"null for a number": {matrix(`[[1700000000,"3"],[1700000010,null]]`), sample},
		"null for a time":   {matrix(`[[null,"3"],[1700000010,"4"]]`), sample},
		"a time alone":      {matrix(`[[1700000000,"3"],[1700000010]]`), sample},
		"null":              {matrix(`[[1700000000,"3"],null]`), sample},
		"no list":           {matrix(`null`), sample},
		"a vector":          {whole, "the answer is a vector, where a query over a span has a matrix"},
		"a scalar":          {scalar(`[1700000000,"3"]`), "the answer is a scalar, where a query over a span has a matrix"},
	} {
		t.Run("range, "+name, func(t *testing.T) {
			s := build(t, "prometheus", &sensors.PrometheusConfig{Query: "sum(x)", Range: &sensors.RangeConfig{Window: seconds(20), Step: seconds(10)}}, sensors.Env{Prometheus: answering(t, 200, c.body)})
			got, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, engine.OK, got[0].State, got[0].Problem)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
	t.Run("drift", func(t *testing.T) {
		s := build(t, "drift", &sensors.DriftConfig{Query: "sum by (c) (x)", Bins: "c", MinSamples: 1, Smoothing: 0.001,
			Reference: sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.5}}},
			sensors.Env{Prometheus: answering(t, 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"c":"a"},"value":[1700000000,"300"]},{"metric":{"c":"b"},"value":[1700000000,null]}]}}`)})
		_, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
		require.ErrorContains(t, err, sample)
	})
}

// Only status 200 is a result. Other statuses mean a partial one, one of a proxy, or one that
// follows later.
func TestAnswersOfAnotherStatusAreErrors(t *testing.T) {
	const vector = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"3"]}]}}`
	for _, code := range []int{201, 202, 203, 204, 206, 299} {
		for kind, c := range map[string]struct {
			config            any
			contentType, body string
		}{
			"prometheus": {&sensors.PrometheusConfig{Query: "sum(x)"}, "application/json", vector},
			"scrape":     {&sensors.ScrapeConfig{Metric: "load"}, "text/plain", "load 3\n"},
			"http":       {&sensors.HTTPConfig{}, "application/json", "3"},
		} {
			body := c.body
			if code == http.StatusNoContent {
				body = ""
			}
			address := serve(t, func(w http.ResponseWriter, r *http.Request) { text(code, c.contentType, body)(w, r) })
			switch config := c.config.(type) {
			case *sensors.PrometheusConfig:
				config.Address = address
			case *sensors.ScrapeConfig:
				config.URL = address
			case *sensors.HTTPConfig:
				config.URL = address
			}
			got, err := build(t, kind, c.config, sensors.Env{}).Sample(t.Context(), now, []engine.Target{target("x", "a")})
			if err == nil {
				require.Equal(t, engine.Error, got[0].State, "%s, %d", kind, code)
				err = errors.New(got[0].Problem)
			}
			require.ErrorContains(t, err, fmt.Sprintf("answered %d", code), kind)
		}
	}
}
