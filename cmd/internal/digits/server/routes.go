package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	predictPath = "/predict"
	// otherPath is the metrics' path of all requests to paths that are not served, so that a
	// client can't create series.
	otherPath = "other"
	// clientGone is the status in the metrics of a request whose client went away
	// before the reply. Nobody receives it.
	clientGone = 499
)

// service is one server's state.
type service struct {
	o Options
	// working ends when the requests in progress are cancelled.
	working context.Context
	ready   atomic.Bool
	gate    *gate
	queue   *queue
	metrics *metrics
}

func newService(working context.Context, o Options) *service {
	s := &service{o: o, working: working, gate: newGate(), queue: newQueue(o.Workers, o.Queue), metrics: newMetrics(o.Version, o.Model.Info(), o.Collectors)}
	s.ready.Store(true)
	return s
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorLog: s.o.Logger.StandardLogger(nil)}))
	mux.Handle(predictPath, s.measured(predictPath, s.predict))
	mux.Handle("/", s.measured(otherPath, func(w http.ResponseWriter, r *http.Request) int {
		return refuse(w, http.StatusNotFound, "there is no "+r.URL.Path+" here: use POST /predict, GET /healthz or GET /metrics")
	}))
	return mux
}

// health serves probes: 200 while new requests are accepted.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !s.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("draining\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// measured counts the requests of clients. The handler returns the status that it answered.
func (s *service) measured(path string, handle func(http.ResponseWriter, *http.Request) int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s.metrics.requests.WithLabelValues(path).Inc()
		s.metrics.ended(path, handle(w, r), time.Since(began))
	})
}
