package sensors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// A secret that a server echoes is in no error and no problem: not in a quote, not truncated,
// and not in our own messages.
func TestSecretsThatAServerRepeatsAreNotSaid(t *testing.T) {
	const vector = `{"status":"success","data":{"resultType":"vector","result":[%s]}}`
	inJSON := func(text string) string {
		raw, err := json.Marshal(text)
		require.NoError(t, err)
		return string(raw)
	}
	prom := func(c *sensors.PrometheusConfig) func(string, manifest.Headers) any {
		return func(address string, headers manifest.Headers) any {
			c := *c
			c.Query, c.Address, c.Headers = "a", address, headers
			return &c
		}
	}
	scrape := func(c sensors.ScrapeConfig) func(string, manifest.Headers) any {
		return func(address string, headers manifest.Headers) any {
			c := c
			c.Metric, c.URL, c.Headers = "load", address, headers
			return &c
		}
	}
	asked := func(c sensors.HTTPConfig) func(string, manifest.Headers) any {
		return func(address string, headers manifest.Headers) any {
			c := c
			c.URL, c.Headers = address, headers
			return &c
		}
	}
	drift := func(address string, headers manifest.Headers) any {
		return &sensors.DriftConfig{Query: "a", Bins: "c", MinSamples: 1, Smoothing: 0.001, Address: address, Headers: headers,
			Reference: sensors.DriftReference{Shares: map[string]float64{"a": 0.5, "b": 0.5}}}
	}
	mlflow := func(address string, headers manifest.Headers) any {
		return &sensors.MLflowConfig{URL: address, Runs: &sensors.MLflowRuns{Experiment: "a", Take: "run"}, Headers: headers}
	}
	for name, c := range map[string]struct {
		kind   string
		config func(string, manifest.Headers) any
		page   func(secret string) string
	}{
		"line of a page":            {"scrape", scrape(sensors.ScrapeConfig{}), func(s string) string { return s + " x\n" }},
		"long line of a page":       {"scrape", scrape(sensors.ScrapeConfig{}), func(s string) string { return strings.Repeat("x", 90) + s + " x\n" }},
		"longer line of a page":     {"scrape", scrape(sensors.ScrapeConfig{}), func(s string) string { return strings.Repeat("x", 78) + s + " x\n" }},
		"label of a page":           {"scrape", scrape(sensors.ScrapeConfig{Labels: map[string]string{"a": "b"}}), func(s string) string { return "load{a=" + strconv.Quote(s) + "} 3\n" }},
		"long label of a page":      {"scrape", scrape(sensors.ScrapeConfig{Labels: map[string]string{"a": "b"}}), func(s string) string { return "load{a=" + strconv.Quote(strings.Repeat("x", 80)+s) + "} 3\n" }},
		"label twice":               {"scrape", scrape(sensors.ScrapeConfig{}), func(s string) string { return "load{a=" + strconv.Quote(s) + ",a=\"2\"} 3\n" }},
		"text for a number":         {"http", asked(sensors.HTTPConfig{Pointer: "/v", Type: "number-text"}), func(s string) string { return `{"v":` + inJSON(s) + `}` }},
		"long text for a number":    {"http", asked(sensors.HTTPConfig{Pointer: "/v", Type: "number-text"}), func(s string) string { return `{"v":` + inJSON(strings.Repeat("9", 29)+s) + `}` }},
		"name beside a number":      {"http", asked(sensors.HTTPConfig{Pointer: "/v", Type: "object"}), func(s string) string { return `{"v":{` + inJSON(s) + `:1e400}}` }},
		"long name beside a number": {"http", asked(sensors.HTTPConfig{Pointer: "/v", Type: "object"}), func(s string) string { return `{"v":{` + inJSON(strings.Repeat("x", 85)+s) + `:1e400}}` }},
		"JSON that is none":         {"http", asked(sensors.HTTPConfig{}), func(s string) string { return s }},
		"label of a series": {"prometheus", prom(&sensors.PrometheusConfig{Match: map[string]string{"a": "name"}}), func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{"a":`+inJSON(s)+`},"value":[1700000000,"3"]}`)
		}},
		"labels of two series": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{"a":`+inJSON("1"+s)+`},"value":[1700000000,"3"]},{"metric":{"a":`+inJSON("2"+s)+`},"value":[1700000000,"3"]}`)
		}},
		"value of a series": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string { return fmt.Sprintf(vector, `{"metric":{},"value":[1700000000,`+inJSON(s)+`]}`) }},
		"end of a value of a series": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{"b":"`+strings.Repeat("c", 40)+`"},"value":[1700000000,`+inJSON(s)+`]}`)
		}},
		"no sample": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{},"value":[1700000000,3,`+inJSON(strings.Repeat("y", 20)+s)+`]}`)
		}},
		"type of an answer": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return `{"status":"success","data":{"resultType":` + inJSON(s) + `,"result":[]}}`
		}},
		"status of an answer": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string { return `{"status":` + inJSON(strings.Repeat("z", 25)+s) + `}` }},
		"warning": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":[` + inJSON(s) + `]}`
		}},
		"reason": {"prometheus", prom(&sensors.PrometheusConfig{}), func(s string) string {
			return `{"status":"error","errorType":"x","error":` + inJSON("GET /?q="+url.QueryEscape(s)+" "+strings.Repeat("r", 280)+s) + `}`
		}},
		"bin of drift": {"drift", drift, func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{"c":`+inJSON(s)+`},"value":[1700000000,"-3"]},{"metric":{"c":"a"},"value":[1700000000,"3"]}`)
		}},
		"series without a bin": {"drift", drift, func(s string) string {
			return fmt.Sprintf(vector, `{"metric":{"d":`+inJSON(s)+`},"value":[1700000000,"3"]}`)
		}},
		"MLflow's answer": {"mlflow", mlflow, func(s string) string {
			return `{"experiment":{"experiment_id":` + inJSON(s) + `,"name":"a"},"runs":[{"data":{"metrics":[{"key":"m","value":` + inJSON("NaN"+s) + `}]}}]}`
		}},
	} {
		for _, secret := range []string{"tok-0123456789-abcdefghij", `tok "01\23" 4567/8-abc+defghij%`, "Bearer tok-0123456789-abcdefghij"} {
			t.Run(name+"/"+url.PathEscape(secret), func(t *testing.T) {
				t.Setenv("REPEATED", secret)
				address := serve(t, func(w http.ResponseWriter, r *http.Request) {
					kind := "application/json"
					if c.kind == "scrape" {
						kind = "text/plain"
					}
					_, bare, _ := strings.Cut(r.Header.Get("X-Key"), "Bearer ")
					if bare == "" {
						bare = r.Header.Get("X-Key")
					}
					text(200, kind, c.page(bare))(w, r)
				})
				s := build(t, c.kind, c.config(address, manifest.Headers{"X-Key": {Secret: manifest.Secret{Env: "REPEATED"}}}), sensors.Env{})
				got, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
				said := ""
				if err != nil {
					said = err.Error()
				} else {
					require.NotEqual(t, engine.OK, got[0].State)
					said = got[0].Problem
				}
				require.NotEmpty(t, said)
				for _, form := range []string{strings.TrimPrefix(secret, "Bearer "), url.QueryEscape(secret)} {
					for i := 0; i+6 <= len(form); i++ {
						require.NotContains(t, said, form[i:i+6])
					}
				}
			})
		}
	}
}

// The text of a server is put on one line without control characters.
func TestServersWordsAreOneLine(t *testing.T) {
	address := answering(t, 400, `{"status":"error","errorType":"x","error":"a\u001b[2Jb\u0000c\u009bd\r\ne\u007f"}`)
	_, err := build(t, "prometheus", &sensors.PrometheusConfig{Query: "a", Address: address}, sensors.Env{}).Sample(t.Context(), now, []engine.Target{target("x", "a")})
	require.ErrorContains(t, err, "x: a [2Jb c d e")
	require.NotContains(t, err.Error(), "\u001b")
}
