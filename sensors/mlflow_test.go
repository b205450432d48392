package sensors_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Reading from a healthy server is tested in cmd/internal/mlflowtest against the embedded
// tracker.

func TestMLflowManifest(t *testing.T) {
	for name, row := range map[string]struct {
		config string
		want   []string
	}{
		"runs":            {"{url: https://h/x, runs: {experiment: a, filter: \"tags.app = '{name}'\", orderBy: [metrics.x DESC], take: metric, of: x}, bearerToken: {env: TOKEN}, tls: {insecureSkipVerify: true}}", nil},
		"a param":         {"{runs: {experiment: '{label:e}', take: param, of: x, type: number}}", nil},
		"a model":         {"{model: {name: '{name}', version: '{label:v}'}}", nil},
		"nothing":         {"{}", []string{"one of runs and model"}},
		"both":            {"{runs: {experiment: a, take: count}, model: {name: a, latest: true}}", []string{"one of runs and model"}},
		"no name":         {"{runs: {experiment: a, take: sum}}", []string{"of: say which sum to take"}},
		"too much":        {"{runs: {experiment: a, take: count, of: x, orderBy: [x], type: number}}", []string{"of: goes with", "type: goes with", "orderBy: makes no difference"}},
		"no such take":    {"{runs: {experiment: a, take: mean}}", []string{"take"}},
		"bad places":      {"{runs: {experiment: '{x}', filter: '{y}', orderBy: ['{z}'], take: count}}", []string{"experiment: {x}", "filter: {y}", "orderBy[0]: {z}"}},
		"which version":   {"{model: {name: a}}", []string{"one of alias, stage, version and latest"}},
		"several":         {"{model: {name: a, alias: b, latest: true}}", []string{"one of alias, stage, version and latest"}},
		"no such stage":   {"{model: {name: a, stage: production}}", []string{"stage"}},
		"an address":      {"{url: h, model: {name: a, latest: true}}", []string{"url: has no scheme"}},
		"many addresses":  {"{url: 'http://{name}', model: {name: a, latest: true}}", []string{"url: is one for the whole fleet"}},
		"two credentials": {"{model: {name: a, latest: true}, bearerToken: {env: A}, basicAuth: {username: a, password: {env: B}}}", []string{"exclude each other"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.ReadBytes("agent.yaml", agent("    - {name: x, mlflow: "+row.config+"}\n"), kinds())
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
			if row.want == nil {
				require.NoError(t, err)
			}
		})
	}
}

func TestMLflowValueType(t *testing.T) {
	for want, c := range map[string]sensors.MLflowConfig{
		"number": {Runs: &sensors.MLflowRuns{Take: "sum"}}, "string": {Runs: &sensors.MLflowRuns{Take: "tag"}}, "object": {Model: &sensors.MLflowModel{}},
	} {
		require.Equal(t, want, c.ValueType())
	}
	require.Equal(t, "object", (&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Take: "run"}}).ValueType())
	require.Equal(t, "number", (&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Take: "param", Type: "number"}}).ValueType())
}

var newestRun = &sensors.MLflowRuns{Experiment: "a", Take: "run"}

func TestMLflowWithoutAServer(t *testing.T) {
	_, err := sensors.Kinds["mlflow"].New(&sensors.MLflowConfig{Runs: newestRun}, sensors.Env{})
	require.ErrorContains(t, err, "no MLflow server is known; name it under url, or start with --mlflow")
	_, err = sensors.Kinds["mlflow"].New(&sensors.MLflowConfig{Runs: newestRun, BearerToken: &manifest.Secret{Env: "NO_SUCH_TOKEN"}}, sensors.Env{MLflow: "http://h"})
	require.ErrorContains(t, err, "NO_SUCH_TOKEN", "told at once")
}

func TestMLflowFaults(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"hangs":     {hang, "no full answer in time"},
		"drips":     {drip("{"), "no full answer in time"},
		"500":       {text(500, "text/html", "<html>"), "answered 500"},
		"html":      {text(200, "text/html", "<html>"), "not what MLflow would say"},
		"cut":       {text(200, "application/json", `{"experiment": `), "not what MLflow would say"},
		"elsewhere": {text(404, "text/html", "<html>"), "there is no such call of MLflow's API; check the address"},
		"100mb":     {huge(`{"experiment": "`, true), "the answer is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := []engine.Target{target("x", "a"), target("x", "b")}
			s := build(t, "mlflow", &sensors.MLflowConfig{Runs: newestRun}, sensors.Env{MLflow: serve(t, row.answer)})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := s.Sample(ctx, now, fleet)
			require.ErrorContains(t, err, row.want)

			// With a query per target, each target fails in time.
			s = build(t, "mlflow", &sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "{name}", Take: "run"}}, sensors.Env{MLflow: serve(t, row.answer)})
			got, err := s.Sample(ctx, now, fleet)
			if ctx.Err() != nil { // the first took all the time
				return
			}
			require.NoError(t, err)
			for _, signal := range got {
				require.Equal(t, engine.Error, signal.State)
				require.Contains(t, signal.Problem, row.want)
			}
		})
	}
}

// No credential is in an error, whatever the server responds.
func TestMLflowKeepsItsCredentials(t *testing.T) {
	t.Setenv("TOKEN", "t0ken")
	t.Setenv("PASSWORD", "s3cret")
	basic := base64.StdEncoding.EncodeToString([]byte("me:s3cret"))
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get("Authorization")
		if sent == "" {
			text(401, "application/json", `{"error_code": "UNAUTHENTICATED", "message": "sent nothing"}`)(w, r)
			return
		}
		_, password, _ := r.BasicAuth()
		text(403, "application/json", fmt.Sprintf(`{"error_code": "PERMISSION_DENIED", "message": "sent %s %s"}`, sent, password))(w, r)
	})
	for name, row := range map[string]struct {
		config sensors.MLflowConfig
		says   string
	}{
		"none":   {sensors.MLflowConfig{}, "sent nothing"},
		"bearer": {sensors.MLflowConfig{BearerToken: &manifest.Secret{Env: "TOKEN"}}, "PERMISSION_DENIED"},
		"basic":  {sensors.MLflowConfig{BasicAuth: &manifest.BasicAuth{Username: "me", Password: manifest.Secret{Env: "PASSWORD"}}}, "PERMISSION_DENIED"},
	} {
		for _, experiment := range []string{"a", "{name}"} {
			row.config.Runs = &sensors.MLflowRuns{Experiment: experiment, Take: "run"}
			s := build(t, "mlflow", &row.config, sensors.Env{MLflow: address})
			got, err := s.Sample(t.Context(), now, []engine.Target{target("x", "a")})
			problem := ""
			if err != nil {
				problem = err.Error()
			} else {
				problem = got[0].Problem
			}
			require.Contains(t, problem, row.says, name)
			for _, secret := range []string{"t0ken", "s3cret", basic} {
				require.False(t, strings.Contains(problem, secret), "%s: %s", name, problem)
			}
		}
	}
}

// A text of MLflow that is a number is read with all of its digits, and a metric that it lists
// without a number is missing.
func TestMLflowNumbers(t *testing.T) {
	const beyond = "would be another number as a 64-bit float"
	for name, c := range map[string]struct {
		take, json string
		state      engine.State
		want       any // a value, or a part of the problem
	}{
		"param":                  {"param", `"3"`, engine.OK, 3.0},
		"param, exponent":        {"param", `"1e-3"`, engine.OK, 0.001},
		"param, 2^53":            {"param", `"9007199254740992"`, engine.OK, 9007199254740992.0},
		"param, beyond 2^53":     {"param", `"9007199254740993"`, engine.Error, "param \"x\" of run r: the value 9007199254740993 " + beyond},
		"param, below":           {"param", `"-9007199254740993.0"`, engine.Error, beyond},
		"param, underscores":     {"param", `"1_000"`, engine.Error, "no number"},
		"param, hexadecimal":     {"param", `"0x1p4"`, engine.Error, "no number"},
		"param, comma":           {"param", `"1,5"`, engine.Error, "no number"},
		"param, blanks":          {"param", `" 7 "`, engine.Error, "no number"},
		"param, nothing":         {"param", `""`, engine.Error, "no number"},
		"param, None":            {"param", `"None"`, engine.Error, "no number"},
		"param, nan":             {"param", `"nan"`, engine.NaN, "NaN"},
		"param, infinite":        {"param", `"-inf"`, engine.NaN, "-Inf"},
		"param, too large":       {"param", `"1e400"`, engine.NaN, "Inf"},
		"tag, beyond 2^53":       {"tag", `"9007199254740993"`, engine.Error, "tag \"x\" of run r: the value 9007199254740993 " + beyond},
		"tag, underscores":       {"tag", `"1_000"`, engine.Error, "no number"},
		"metric":                 {"metric", `3`, engine.OK, 3.0},
		"metric in quotes":       {"metric", `"3.5"`, engine.OK, 3.5},
		"metric, nan":            {"metric", `"NaN"`, engine.NaN, "NaN"},
		"metric, infinite":       {"metric", `"Infinity"`, engine.NaN, "Inf"},
		"metric, below all":      {"metric", `"-Infinity"`, engine.NaN, "-Inf"},
		"metric, stored so":      {"metric", `-1.7976931348623157e308`, engine.NaN, "-Inf"},
		"metric, too large":      {"metric", `1e400`, engine.NaN, "Inf"},
		"metric, null":           {"metric", `null`, engine.Empty, `run r has no metric "x"`},
		"metric, underscores":    {"metric", `"1_0"`, engine.Error, "is no number"},
		"metric, hexadecimal":    {"metric", `"0x1p4"`, engine.Error, "is no number"},
		"metric, a word":         {"metric", `"many"`, engine.Error, "is no number"},
		"sum":                    {"sum", `3`, engine.OK, 3.0},
		"sum of what is not one": {"sum", `"NaN"`, engine.NaN, "NaN"},
		"metric without a value": {"metric", ``, engine.Empty, `run r has no metric "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			value := ""
			if c.json != "" {
				value = `,"value":` + c.json
			}
			list := map[string]string{"param": "params", "tag": "tags", "metric": "metrics", "sum": "metrics"}[c.take]
			address := answering(t, 200, `{"experiment":{"experiment_id":"1","name":"e"},"runs":[{"info":{"run_id":"r","start_time":1600000000000,"end_time":1600000001000,"status":"FINISHED"},"data":{"`+list+`":[{"key":"x"`+value+`}]}}]}`)
			config := &sensors.MLflowConfig{URL: address, Runs: &sensors.MLflowRuns{Experiment: "e", Take: c.take, Of: "x"}}
			if c.take == "param" || c.take == "tag" {
				config.Runs.Type = "number"
			}
			got, err := build(t, "mlflow", config, sensors.Env{}).Sample(t.Context(), now, []engine.Target{target("x", "a")})
			one := engine.Signal{State: engine.Error}
			if err != nil {
				one.Problem = err.Error()
			} else {
				one = got[0]
			}
			require.Equal(t, c.state, one.State, one.Problem)
			if c.state == engine.OK {
				require.Equal(t, c.want, one.Value)
			} else {
				require.Contains(t, one.Problem, c.want)
				require.Nil(t, one.Value)
			}
		})
	}
}
