package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

const (
	predictPath = "/predict"
	// otherPath is the metric label of all unknown paths, so that clients can't create
	// series.
	otherPath = "other"
	// clientGone is the status in the metrics of a request whose client closed the
	// connection before the reply.
	clientGone = 499
)

// service is the state of a server.
type service struct {
	o Options
	// working is cancelled to abort the current requests.
	working context.Context
	network *classifier.Network // set before loaded
	loaded  atomic.Bool         // the network and the threads are ready
	ready   atomic.Bool         // new requests should be routed here
	closing atomic.Bool         // new requests are refused
	quota   *share.Quota
	queue   *queue
	busy    *busy
	metrics *metrics
}

func newService(working context.Context, o Options) *service {
	clock := share.System()
	s := &service{o: o, working: working, quota: share.New(o.CPU, clock), queue: newQueue(o.Threads, o.Queue), busy: &busy{used: clock.Used}}
	s.metrics = newMetrics(o, s.queue, s.busy)
	return s
}

// load creates the network and classifies an image on each thread, to allocate all memory
// and to measure the duration.
func (s *service) load(ctx context.Context) error {
	pause := func() error { return s.quota.Pause(ctx) }
	network, err := classifier.New(s.o.Model, s.o.Seed, pause)
	if err != nil {
		return err
	}
	img := classifier.Sample(s.o.Seed)
	scratches := make([]*classifier.Scratch, s.o.Threads)
	for i := range scratches {
		scratches[i] = network.NewScratch()
		began := time.Now()
		if _, err := network.Predict(scratches[i], img, pause); err != nil {
			return err
		}
		s.queue.took(time.Since(began))
	}
	s.network = network
	for _, scratch := range scratches {
		s.queue.release(scratch)
	}
	s.loaded.Store(true)
	s.ready.Store(true)
	return nil
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorLog: s.o.Logger.StandardLogger(nil)}))
	mux.Handle(predictPath, s.measured(predictPath, s.predict))
	mux.Handle("/", s.measured(otherPath, func(w http.ResponseWriter, r *http.Request) int {
		return refuse(w, http.StatusNotFound, "there is no such path here: use POST /predict, GET /healthz or GET /metrics")
	}))
	return mux
}

// health serves probes: 200 while the service is ready.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !s.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// measured wraps a handler and records its requests. The handler returns the status.
func (s *service) measured(path string, handle func(http.ResponseWriter, *http.Request) int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s.metrics.requests.WithLabelValues(path).Inc()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		s.metrics.ended(path, handle(w, r), time.Since(began))
	})
}
