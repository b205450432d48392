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
	"github.com/scanflow-k8s/scanflow/engine/installation"
)

// Options configures a server.
type Options struct {
	// Token is the bearer token with all rights. Without it, local requests may read the API
	// and send events.
	Token *Token
	// UserToken is another token with all rights, of the OS user User; nil if there is none.
	UserToken *Token
	User      string
	// Installation is the installation of this process, whose agents are refused; nil disables
	// that.
	Installation *installation.Installation
	// Refused counts refused requests by reason; nil disables that.
	Refused  func(reason string)
	Registry *prometheus.Registry
	// Ready returns why the process is not ready; nil if it is.
	Ready func() []string
	// API maps paths of http.ServeMux ("/v1/agents") to functions that serve GET requests. The
	// result is the response as JSON.
	API map[string]func(*http.Request) (any, error)
	// Answers maps paths of http.ServeMux ("/v1/approvals/{id}/approve") to functions that
	// serve POST requests of persons. They need a credential, and are refused to agents of any
	// installation.
	Answers map[string]func(*http.Request, Caller) (any, error)
	// ForPeers is like API, for peers too.
	ForPeers map[string]func(*http.Request) (any, error)
	// Receive stores events: of POST /v1/events, with the handshake of CloudEvents' web hooks
	// (OPTIONS), and of POST /v1/alerts. The receipts are in the order of the events; with an
	// error, some events may not be stored. nil disables receiving.
	Receive func(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error)
	// Senders are the declared senders; nil if there are none.
	Senders *Senders
	// TLS enables TLS; see the function TLS. nil means plain HTTP.
	TLS *tls.Config
	// ReadTimeout bounds the reading of a request; 0 means 30 s.
	ReadTimeout time.Duration
	// Clock sets the time of events without one; nil means the wall clock.
	Clock engine.Clock
	Log   hclog.Logger
}

// Server serves until it is closed.
type Server struct {
	listener net.Listener
	http     *http.Server
	done     chan error
}

// Listen listens on an address, host:port; port 0 selects a free one. It is called before
// anything that acts is started: a process that can't be observed must not act.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; pass another address with --listen", address, err)
	}
	return l, nil
}

// Serve serves requests on a listener until the server is closed.
func Serve(l net.Listener, o Options) *Server {
	loopback := l.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !loopback && o.Token == nil {
		o.Log.Warn("listening beyond loopback without --token-file: without a credential only health and metrics are shown", "address", l.Addr())
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 30 * time.Second
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	refusals := newRefuser(o)
	s := &Server{listener: l, done: make(chan error, 1), http: &http.Server{
		Handler: handler(o, loopback, refusals), ReadHeaderTimeout: min(5*time.Second, o.ReadTimeout), ReadTimeout: o.ReadTimeout,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: o.Log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}), TLSConfig: o.TLS,
		// With HTTP/2 the timeouts would apply to a connection with any number of requests.
		Protocols: onlyHTTP1(),
	}}
	s.http.RegisterOnShutdown(refusals.release)
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

// Addr returns the listening address.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close waits for the requests in flight. When the context ends, it closes their connections:
// a connection that was opened and never used would block it.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func handler(o Options, loopback bool, refusals *refuser) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", serveIndex(o))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { replyText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := o.Ready(); len(why) > 0 {
			replyText(w, http.StatusServiceUnavailable, strings.Join(why, "\n"))
			return
		}
		replyText(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{Registry: o.Registry}))
	auth := &authenticator{
		token: o.Token, userToken: o.UserToken, user: o.User, loopback: loopback, senders: o.Senders,
		installation: o.Installation, refusals: refusals, log: o.Log,
	}
	for path, answer := range o.API {
		read := apiHandler(path, answer, o.Log)
		mux.Handle("GET "+path, auth.require(Read, func(w http.ResponseWriter, r *http.Request, _ Caller) { read(w, r) }))
	}
	for path, answer := range o.Answers {
		mux.Handle("POST "+path, auth.refuseAllAgents(auth.require(Answer, func(w http.ResponseWriter, r *http.Request, who Caller) {
			apiHandler(path, func(r *http.Request) (any, error) {
				done, err := answer(r, who)
				if err == nil {
					o.Log.Info("done for a person", "request", r.URL.EscapedPath(), "by", who.By(""))
				}
				return done, err
			}, o.Log)(w, r)
		})))
	}
	for path, answer := range o.ForPeers {
		mux.Handle("GET "+path, auth.requirePeerOrRead(apiHandler(path, answer, o.Log)))
	}
	if o.Receive != nil {
		events := newEventReceiver(o, auth)
		mux.Handle("POST /v1/events", events.handler(events.readEvents))
		mux.Handle("POST /v1/alerts", events.handler(events.readAlerts))
		mux.Handle("OPTIONS /v1/events", auth.require(Send, handshake))
	}
	return auth.refuseOwnAgents(mux)
}
