package mlflowtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is the embedded tracker behind HTTP, with a client, and faults that a test sets.
type world struct {
	t     testing.TB
	url   string
	c     *mlflow.Client
	clock *engine.ManualClock

	mu sync.Mutex
	// fault is called before each request, and returns true if it answered the request.
	fault    func(w http.ResponseWriter, r *http.Request, next http.Handler) bool
	received []string // method and path of each request, below the API's
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: engine.NewManualClock(start)}
	tr, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir(), Now: w.clock.Now, Log: hclog.NewNullLogger()})
	require.NoError(t, err)
	srv := httptest.NewServer(w.serve(tr.Handler()))
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, tr.Close())
	})
	w.url = srv.URL
	w.c, err = mlflow.New(mlflow.Options{URL: srv.URL})
	require.NoError(t, err)
	t.Cleanup(w.c.Close)
	return w
}

func (w *world) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.received = append(w.received, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/"))
		fault := w.fault
		w.mu.Unlock()
		if fault == nil || !fault(out, r, next) {
			next.ServeHTTP(out, r)
		}
	})
}

func (w *world) setFault(f func(http.ResponseWriter, *http.Request, http.Handler) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// requests returns the requests since its last call.
func (w *world) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.received
	w.received = nil
	return out
}

// isWrite reports whether a request changes something.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/search")
}

// noAliases simulates a tracker older than aliases, without their calls.
func noAliases(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	if !strings.HasSuffix(r.URL.Path, "/registered-models/alias") {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body)
	http.Error(w, "<!doctype html><title>404 Not Found</title>", http.StatusNotFound)
	return true
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

// run creates a run that has ended.
func (w *world) run(experiment, name string, metrics map[string]float64, params, tags map[string]string) mlflow.Run {
	w.t.Helper()
	id, err := w.c.EnsureExperiment(w.ctx(), experiment)
	require.NoError(w.t, err)
	w.clock.Advance(time.Second)
	run, err := w.c.CreateRun(w.ctx(), id, name, tags, w.clock.Now())
	require.NoError(w.t, err)
	var list []mlflow.Metric
	for key, v := range metrics {
		list = append(list, mlflow.Metric{Key: key, Value: v, At: w.clock.Now()})
	}
	require.NoError(w.t, w.c.LogBatch(w.ctx(), run.ID, list, params, nil))
	w.clock.Advance(time.Second)
	require.NoError(w.t, w.c.EndRun(w.ctx(), run.ID, mlflow.Finished, w.clock.Now()))
	run, err = w.c.Run(w.ctx(), run.ID)
	require.NoError(w.t, err)
	return run
}

// versions registers a number of versions of a model.
func (w *world) versions(model string, n int) {
	w.t.Helper()
	require.NoError(w.t, w.c.EnsureModel(w.ctx(), model))
	for range n {
		run := w.run("digits", "train", map[string]float64{"accuracy": 0.9}, nil, nil)
		_, err := w.c.CreateVersion(w.ctx(), model, "runs:/"+run.ID+"/model", run.ID, nil)
		require.NoError(w.t, err)
	}
}

func (w *world) alias(model, alias, version string) {
	w.t.Helper()
	require.NoError(w.t, w.c.SetAlias(w.ctx(), model, alias, version))
}
