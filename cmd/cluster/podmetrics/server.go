package podmetrics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options configure a Server. All are required.
type Options struct {
	Client     *apiclient.Client
	Prometheus string // the URL
	Metric     string // the name of the metric in the autoscaler's object
	Query      string // its series must have the labels namespace and pod
}

// Server serves the API server until Close.
type Server struct {
	o          Options
	prometheus prometheus.API
	web        *http.Server
	served     chan error
	registered bool // the cluster may have its objects
}

// Start serves on a loopback port, registers with the API server, and returns once that
// reaches it.
func Start(ctx context.Context, o Options) (s *Server, err error) {
	client, err := api.NewClient(api.Config{Address: o.Prometheus})
	if err != nil {
		return nil, fmt.Errorf("pod metrics: Prometheus: %w", err)
	}
	certificate, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("pod metrics: certificate: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("pod metrics: %w", err)
	}
	s = &Server{o: o, prometheus: prometheus.NewAPI(client), served: make(chan error, 1)}
	s.web = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { s.served <- s.web.ServeTLS(listener, "", "") }()
	if err := s.register(ctx, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return nil, errors.Join(fmt.Errorf("pod metrics: register with the API server: %w", err), s.Close())
	}
	return s, nil
}

// Close removes the registration and stops the server.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := errors.Join(s.unregister(ctx), s.web.Close())
	if serveErr := <-s.served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
