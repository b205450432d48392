// Package server serves a classifier over HTTP: POST /predict, GET /healthz, GET /metrics.
// It behaves like a real replica: it classifies one image at a time on one core (or a
// few), respects its share of the CPU, queues a bounded number of requests, and refuses
// the others at once.
//
// It never works for a client that has disconnected, never simulates work, and handles no
// signals: it drains when the caller cancels the context.
//
// Start reading at Serve, then predict.go (one request), queue.go (waiting) and busy.go
// (CPU time).
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

// Options configure the server.
type Options struct {
	// Addr is the address to listen on, as host:port. Port 0 picks a free one.
	Addr  string
	Model classifier.Model
	// Seed is the seed of the weights.
	Seed uint64
	// CPU is the share of the CPU; 0 means no limit.
	CPU share.Share
	// Threads is the number of images that are classified at a time; 0 means 1.
	Threads int
	// Queue is the maximum of waiting requests.
	Queue int
	// Linger is the time after the end of ctx in which new requests are still accepted while
	// /healthz returns 503, so that routers can remove the replica first.
	Linger time.Duration
	// Grace bounds the time, after ctx ends, until the last request is done; 0 means 30 s.
	Grace time.Duration
	// Logger may be nil.
	Logger hclog.Logger
	// Listening, if set, is called with the address before the network is created, and
	// Ready after it is created and warm.
	Listening func(net.Addr)
	Ready     func()
}

// ErrGrace is returned if requests were aborted at the end of the grace period.
var ErrGrace = errors.New("requests under way outlasted the grace period and were cut off")

func (o *Options) complete() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := classifier.ParseModel(string(o.Model))
	errs = append(errs, err)
	refuse(o.Addr == "", "no address to listen on; use host:port, as 127.0.0.1:8080")
	refuse(o.CPU < 0, "cpu: %d thousandths of a core are below 0", o.CPU)
	refuse(o.Threads < 0, "threads: %d is below 0", o.Threads)
	refuse(o.Queue < 0, "queue: %d is below 0", o.Queue)
	refuse(o.Linger < 0, "linger: %s is below 0", o.Linger)
	refuse(o.Grace < 0, "grace: %s is below 0", o.Grace)
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return errors.Join(errs...)
}

// Serve serves requests until ctx ends, and then drains: /healthz returns 503, new
// requests are refused after Linger, and the remaining ones are completed within Grace. It
// returns nil if they were, ErrGrace if not, and any other error if it could not serve.
func Serve(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("serve the classifier: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return fmt.Errorf("serve the classifier on %s: %w", o.Addr, err)
	}
	working, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	s := newService(working, o)
	h := &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return working },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          o.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(listener) }()
	if o.Listening != nil {
		o.Listening(listener.Addr())
	}
	switch err := s.load(ctx); {
	case err == nil:
		o.Logger.Info("serving", "address", listener.Addr().String(), "model", o.Model, "cpu", o.CPU.String(), "queue", o.Queue, "image", s.queue.each().Round(time.Millisecond).String())
		if o.Ready != nil {
			o.Ready()
		}
	case ctx.Err() == nil:
		return errors.Join(err, h.Close(), notClosed(<-served))
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve the classifier on %s: %w", o.Addr, err)
	case <-ctx.Done():
	}
	return errors.Join(s.drain(h, abort), notClosed(<-served))
}

func notClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drain shuts the service down. abort cancels the current requests.
func (s *service) drain(h *http.Server, abort func()) error {
	s.ready.Store(false)
	s.o.Logger.Info("draining", "linger", s.o.Linger.String(), "grace", s.o.Grace.String())
	grace, cancel := context.WithTimeout(context.Background(), s.o.Grace)
	defer cancel()
	select {
	case <-time.After(min(s.o.Linger, s.o.Grace)):
	case <-grace.Done():
	}
	s.closing.Store(true)
	if h.Shutdown(grace) == nil { // waits for the current requests
		return nil
	}
	abort()
	last, cancelLast := context.WithTimeout(context.Background(), time.Second)
	defer cancelLast()
	_ = h.Shutdown(last) // aborted requests get a response
	return errors.Join(fmt.Errorf("serve the classifier: %w (%s)", ErrGrace, s.o.Grace), h.Close())
}
