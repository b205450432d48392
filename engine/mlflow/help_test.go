package mlflow_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// serve is a client of a server that answers every request by f.
func serve(t testing.TB, f http.HandlerFunc, options ...func(*mlflow.Options)) *mlflow.Client {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	o := mlflow.Options{URL: srv.URL, Timeout: 5 * time.Second}
	for _, option := range options {
		option(&o)
	}
	c, err := mlflow.New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func hurry(o *mlflow.Options) { o.Timeout = 100 * time.Millisecond }

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only once the body is read does the server see the client leave
	<-r.Context().Done()
}

// read decodes what a client sent.
func read(t testing.TB, r *http.Request) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		t.Errorf("%s: %v", r.URL, err)
	}
	return out
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
