package mlflow_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// FuzzAnswer asks all questions of a server that answers anything, two answers turn by
// turn. Each ends: with what the server said, or with an error that names the request, is
// short, and does not hold the credentials that were sent.
func FuzzAnswer(f *testing.F) {
	deep := strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)
	for _, seed := range [][2]string{
		{`{"run":{"info":{"run_id":"r","experiment_id":7,"start_time":"1700000000123","end_time":1700000001000,"artifact_uri":"mlflow-artifacts:/7/r/artifacts"},"data":{"metrics":[{"key":"a","value":"NaN"},{"key":"a","value":1e308}],"params":[{"key":"p","value":"1"}]}}}`, `{}`},
		{`{"runs":[{"info":{"run_id":"r"}}],"model_versions":[{"version":1}],"files":[{"path":"a","file_size":"1"}],"next_page_token":"a"}`, `{"next_page_token":"b"}`},
		{`{"run":{"info":{"start_time":9223372036854775807,"end_time":-9223372036854775808}}}`, `{"run":{"info":{"start_time":1e3}}}`},
		{`{"run":{"info":{"start_time":"\"1\"","experiment_id":{"a":[1]}},"data":{"metrics":[{"key":"a","value":"0x1p-2"},{"value":"1_0"}]}}}`, `{"runs":[null]}`},
		{`{"experiment":{"experiment_id":[],"lifecycle_stage":"deleted"}}`, `{"experiment":{"experiment_id":true}}`},
		{`{"run":{"data":{"metrics":[{"key":"a","value":1e100000}]}}}`, `{"run":{"data":{"metrics":null,"tags":[null]}}}`},
		{`{"registered_model":{"name":"m","aliases":[{"alias":"production","version":1e100000}],"latest_versions":[{}]}}`, `{"model_version":{"version":` + deep + `}}`},
		{`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"hidden-token hidden-token"}`, `{"error_code":"` + strings.Repeat("x", 10_000) + `\u001b[2J","message":"\u001b[2J\u0000"}`},
		{"{\"run\":{\"info\":{\"run_id\":\"\xff\\u0000\\ud800\"}}}", `{"run":{"info":{"run_id":"a","run_id":"b"}}}`}, {`null`, ``}, {deep, `<html>`}, {`{"runs":` + strings.Repeat(`[{"info":`, 5000), `{"run":`},
	} {
		for _, status := range []int{200, 400, 404, 302} {
			f.Add(seed[0], seed[1], status)
		}
	}
	var says atomic.Pointer[[2]string]
	var status, turn atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(says.Load()[turn.Add(1)%2]))
	}))
	f.Cleanup(srv.Close)
	c, err := mlflow.New(mlflow.Options{URL: srv.URL, Timeout: 10 * time.Second, Headers: mlflow.Authorization(func(context.Context) (string, error) { return "Bearer hidden-token", nil })})
	require.NoError(f, err)
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, first, second string, code int) {
		if code < 200 || code > 599 || code == 204 || code == 304 {
			return // no answer with a body
		}
		says.Store(&[2]string{first, second})
		status.Store(int64(code))
		turn.Store(1)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for name, ask := range map[string]func() error{
			"run": func() error { _, err := c.Run(ctx, "r"); return err },
			"runs": func() error {
				runs, err := c.SearchRuns(ctx, mlflow.Search{Max: 3})
				require.LessOrEqual(t, len(runs), 3)
				return err
			},
			"all runs":    func() error { _, err := c.SearchRuns(ctx, mlflow.Search{}); return err },
			"versions":    func() error { _, err := c.SearchVersions(ctx, "m", nil, 0); return err },
			"version":     func() error { _, err := c.Version(ctx, "m", "1"); return err },
			"alias":       func() error { _, err := c.VersionByAlias(ctx, "m", "production"); return err },
			"model":       func() error { _, err := c.Model(ctx, "m"); return err },
			"artifacts":   func() error { _, err := c.ListArtifacts(ctx, "r", ""); return err },
			"experiments": func() error { _, err := c.Experiments(ctx, []string{"a"}); return err },
			"artifact": func() error {
				body, err := c.DownloadArtifact(ctx, "r", "a")
				if err == nil {
					require.NoError(t, body.Close())
				}
				return err
			},
		} {
			err := ask()
			if err == nil {
				require.True(t, code == http.StatusOK || name == "experiments", name) // one that is not there is left out
				continue
			}
			require.NoError(t, ctx.Err(), "%s goes on for ever", name)
			require.NotContains(t, err.Error(), "hidden-token", name)
			require.LessOrEqual(t, len(err.Error()), 2000, name)
			require.NotContains(t, err.Error(), "\x1b", name)
		}
	})
}
