package mlflowtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// listen returns a server whose POST bodies go to a channel.
func listen(t *testing.T, took chan<- string) (url string) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		took <- string(body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// run0 creates a run with tags only.
func (w *world) run0(experiment string, tags map[string]string) (id string) {
	w.t.Helper()
	return w.run(experiment, "x", nil, nil, tags).ID
}

// measure logs a run's current accuracy.
func (w *world) measure(runID string, accuracy float64) {
	w.t.Helper()
	require.NoError(w.t, w.c.LogBatch(w.ctx(), runID, []mlflow.Metric{{Key: "accuracy", Value: accuracy, At: w.clock.Now(), Step: 1}}, nil, nil))
}
