package sensors_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// deadline is the deadline of a sample in the tests of failures.
const deadline = 300 * time.Millisecond

func build(t testing.TB, kind string, config any, env sensors.Env) engine.Sensor {
	t.Helper()
	s, err := sensors.Kinds[kind].New(config, env)
	require.NoError(t, err)
	return s
}

func sampleAt(t testing.TB, s engine.Sensor, at time.Time, fleet ...engine.Target) engine.Reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := s.Sample(ctx, at, fleet)
	require.NoError(t, err)
	require.Len(t, r, len(fleet))
	return r
}

// failing samples with a short deadline, and returns the error that must occur in time.
func failing(t testing.TB, s engine.Sensor, fleet ...engine.Target) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	_, err := s.Sample(ctx, time.Now(), fleet)
	require.Error(t, err)
	require.Less(t, time.Since(began), 10*deadline)
	return err
}

func target(namespace, name string, labels ...string) engine.Target {
	t := engine.Target{Kind: "Deployment", Namespace: namespace, Name: name, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		t.Labels[labels[i]] = labels[i+1]
	}
	return t
}

func one(name string, at time.Time, v float64, labels ...string) promengine.Sample {
	s := promengine.Sample{Labels: map[string]string{"__name__": name}, At: at, Value: v}
	for i := 0; i < len(labels); i += 2 {
		s.Labels[labels[i]] = labels[i+1]
	}
	return s
}

// prom is a real Prometheus engine behind HTTP, which counts the queries.
func prom(t testing.TB, samples ...promengine.Sample) (address string, queries *atomic.Int64) {
	t.Helper()
	e, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.NoError(t, e.Append(context.Background(), samples))
	queries = new(atomic.Int64)
	api := e.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		queries.Add(1)
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, queries
}

// serve serves every request with f.
func serve(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

func text(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// drip sends a byte from time to time until the client disconnects.
func drip(first string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // only once the body is read does the server see the client leave
		_, _ = w.Write([]byte(first))
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
			}
		}
	}
}

// hang never responds.
func hang(_ http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	<-r.Context().Done()
}

// huge sends 100 MB, with or without a Content-Length.
func huge(first string, announced bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		const size = 100_000_000
		if announced {
			w.Header().Set("Content-Length", "100000000")
		}
		sent, _ := w.Write([]byte(first))
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = ' '
		}
		for sent < size {
			n, err := w.Write(block[:min(len(block), size-sent)])
			if err != nil {
				return
			}
			sent += n
		}
	}
}

// workloads is an orchestrator's view as a table.
type workloads map[engine.TargetID]engine.Workload

func (w workloads) Fleet(engine.Selector) (engine.Fleet, error) { return engine.StaticFleet(nil), nil }

func (w workloads) Workload(id engine.TargetID) (engine.Workload, bool) {
	found, ok := w[id]
	return found, ok
}
