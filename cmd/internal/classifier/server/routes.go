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
	// otherPath stands in the metrics for every path that is not served: a client must
	// not be able to make series.
	otherPath = "other"
	// clientGone is the status in the metrics of a request whose client went away
	// before the reply. Nobody receives it.
	clientGone = 499
)

// service is one server's state.
type service struct {
	o Options
	// working ends when the work in hand is to be cut off.
	working context.Context
	network *classifier.Network // set before loaded
	loaded  atomic.Bool         // there are a network and threads
	ready   atomic.Bool         // new requests are welcome
	closing atomic.Bool         // none is taken any more
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

// load makes the network and classifies an image on each thread, so that all memory is
// there and it is known how long one takes.
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

// health is for probes: 200 while new requests are welcome.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !s.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// measured counts the requests of clients. The handler returns the status that it answered.
func (s *service) measured(path string, handle func(http.ResponseWriter, *http.Request) int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s.metrics.requests.WithLabelValues(path).Inc()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		s.metrics.ended(path, handle(w, r), time.Since(began))
	})
}
