// Package server answers predictions of a digits model over HTTP: POST /predict,
// GET /healthz, GET /metrics. It simulates a model server under load: a few
// workers (one by default) take at least Options.Work for each prediction, and other requests
// wait in a bounded queue, so that latency grows with load as in a real one.
//
// A request may have the labels of its images (label.go). They are counted and recorded, and
// never reach the model.
//
// It never loads or trains a model, sleeps instead of using the CPU, and handles no signals: it
// drains when its caller cancels the context.
//
// Start reading at Serve, then predict.go (a request) and queue.go (the wait).
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// Options configures a server. Zero values take the defaults given here.
type Options struct {
	// Addr is the address to listen on, as host:port; port 0 takes a free one.
	Addr  string
	Model *digits.Model
	// Version names the model in replies and metrics, such as its number in a registry; "" is
	// the version in the model's file.
	Version string
	// Recorder, if set, receives every prediction.
	Recorder Recorder
	// Collectors are other metrics, exported with the server's.
	Collectors []prometheus.Collector
	// Work is the minimum duration of a prediction. It simulates a larger model.
	Work time.Duration
	// Workers is the number of concurrent predictions: 1.
	Workers int
	// Queue bounds the requests that wait for a worker; more get 503: 256.
	Queue int
	// Linger is the time after a stop in which new requests are still accepted while /healthz
	// returns 503, so that routers can remove the replica first.
	Linger time.Duration
	// Grace bounds the whole stop, with the requests in progress: 10 s.
	Grace time.Duration
	// Logger may be nil.
	Logger hclog.Logger
	// Ready, if set, is called with the address once requests are answered.
	Ready func(addr net.Addr)
}

// Recorder stores predictions. It must not block.
type Recorder interface {
	// Record is called once for each image, with the client's label, or digits.NoClass.
	Record(img *digits.Image, p digits.Prediction, label int)
}

// ErrGrace is returned when requests in progress were cancelled at the end of the grace period.
var ErrGrace = errors.New("work in hand outlasted the grace period and was cut off")

func (o *Options) complete() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(o.Model == nil, "no model to serve")
	refuse(o.Addr == "", "no address to listen on; use host:port, as 127.0.0.1:8080")
	refuse(o.Work < 0, "work: %s is below 0", o.Work)
	refuse(o.Workers < 0, "workers: %d is below 0", o.Workers)
	refuse(o.Queue < 0, "queue: %d is below 0", o.Queue)
	refuse(o.Linger < 0, "linger: %s is below 0", o.Linger)
	refuse(o.Grace < 0, "grace: %s is below 0", o.Grace)
	if o.Version == "" && o.Model != nil {
		o.Version = o.Model.Info().Version
	}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Queue == 0 {
		o.Queue = 256
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return errors.Join(errs...)
}

// Serve answers requests until ctx ends, then drains: /healthz returns 503, after Linger new
// predictions are rejected, and those in progress are finished within Grace. It returns nil if
// they were, ErrGrace if not, and another error if it could not serve.
func Serve(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("serve digits: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return fmt.Errorf("serve digits on %s: %w", o.Addr, err)
	}
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	s := newService(work, o)
	h := &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          o.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(listener) }()
	info := o.Model.Info()
	o.Logger.Info("serving", "address", listener.Addr().String(), "model", o.Version, "accuracy", info.Accuracy, "work", o.Work.String(), "workers", o.Workers)
	if o.Ready != nil {
		o.Ready(listener.Addr())
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve digits on %s: %w", o.Addr, err)
	case <-ctx.Done():
	}
	err = s.drain(h, abort)
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

// drain ends the service. abort cancels the requests in progress.
func (s *service) drain(h *http.Server, abort func()) error {
	s.ready.Store(false)
	s.o.Logger.Info("draining", "linger", s.o.Linger.String(), "grace", s.o.Grace.String())
	grace, cancel := context.WithTimeout(context.Background(), s.o.Grace)
	defer cancel()
	select {
	case <-time.After(min(s.o.Linger, s.o.Grace)):
	case <-grace.Done():
	}
	idle := s.gate.close()
	cut := false
	select {
	case <-idle:
	case <-grace.Done():
		cut = true
		abort()
		<-idle
	}
	// All predictions are made. The last replies are still being sent.
	last, cancelLast := context.WithTimeout(context.Background(), max(time.Second, s.o.Grace/4))
	defer cancelLast()
	err := h.Shutdown(last)
	if err != nil {
		err = errors.Join(ErrGrace, h.Close())
	}
	if cut {
		return fmt.Errorf("serve digits: %w (%s)", ErrGrace, s.o.Grace)
	}
	return err
}
