package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Options are what a server shows, and what it takes.
type Options struct {
	// Token opens everything but health and metrics to who sends it as a bearer
	// token. Without one, that is open on a loopback address and closed on any other.
	Token    string
	Registry *prometheus.Registry
	// Ready returns why the process is not ready, nil if it is.
	Ready func() []string
	// API are the further resources, each a function that answers with what is to be
	// shown as JSON. A key is a path ("/v1/agents"), which is for GET, or a pattern of
	// http.ServeMux with a method ("POST /v1/approvals/{id}/approve").
	API map[string]func(*http.Request) (any, error)
	// ForPeers are resources like those of API, for declared senders that are peers too.
	ForPeers map[string]func(*http.Request) (any, error)
	// Receive takes events over: POST /v1/events and POST /v1/alerts. The receipts are in
	// the order of the events; with an error not all were taken. Nil takes none.
	Receive func(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error)
	// Senders may send events, besides who may use the API; nil is nobody.
	Senders *Senders
	// TLS has the server speak TLS, as TLS makes it; nil is plain HTTP.
	TLS *tls.Config
	// ReadTimeout bounds the reading of one request; 0 is 30 s.
	ReadTimeout time.Duration
	// Clock gives events that have no time theirs; nil is the wall clock.
	Clock engine.Clock
	Log   hclog.Logger
}

// Server listens until it is closed.
type Server struct {
	listener net.Listener
	http     *http.Server
	done     chan error
}

// Listen opens an address, host:port; port 0 picks a free one. It comes before
// anything that acts is started: a process that can't be seen must not act.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; pass another address with --listen", address, err)
	}
	return l, nil
}

// Serve answers on a listener until the server is closed.
func Serve(l net.Listener, o Options) *Server {
	loopback := l.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !loopback && o.Token == "" {
		o.Log.Warn("listening beyond loopback without a token: only health and metrics are shown", "address", l.Addr())
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 30 * time.Second
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	s := &Server{listener: l, done: make(chan error, 1), http: &http.Server{
		Handler: handler(o, loopback), ReadHeaderTimeout: min(5*time.Second, o.ReadTimeout), ReadTimeout: o.ReadTimeout,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: o.Log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}), TLSConfig: o.TLS,
		// Of HTTP/2 the timeouts would be of a connection, with any number of requests.
		Protocols: onlyHTTP1(),
	}}
	go func() {
		if o.TLS != nil {
			s.done <- s.http.ServeTLS(l, "", "")
		} else {
			s.done <- s.http.Serve(l)
		}
	}()
	return s
}

func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// Addr is the address that was opened.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close finishes the requests under way and waits, until the context ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func handler(o Options, loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := o.Ready(); len(why) > 0 {
			text(w, http.StatusServiceUnavailable, strings.Join(why, "\n"))
			return
		}
		text(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{Registry: o.Registry}))
	for pattern, answer := range o.API {
		mux.Handle(withMethod(pattern), guarded(o.Token, loopback, api(pattern, answer, o.Log)))
	}
	door := doorkeeper{token: o.Token, loopback: loopback, senders: o.Senders}
	for pattern, answer := range o.ForPeers {
		mux.Handle(withMethod(pattern), door.peers(api(pattern, answer, o.Log)))
	}
	if o.Receive != nil {
		in := newReception(o, door)
		mux.Handle("POST /v1/events", in.handler(in.readEvents))
		mux.Handle("POST /v1/alerts", in.handler(in.readAlerts))
	}
	return mux
}

func withMethod(pattern string) string {
	if strings.Contains(pattern, " ") {
		return pattern
	}
	return http.MethodGet + " " + pattern
}
