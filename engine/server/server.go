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

// Options are what a server shows, and what it takes.
type Options struct {
	// Token opens everything to who sends it as a bearer token. Without one, who comes over
	// loopback may see the API and send, and no more.
	Token *Token
	// UserToken does the same, and stands for the OS user User; nil is none.
	UserToken *Token
	User      string
	// Installation is this process' own, whose agents are refused; nil knows of none.
	Installation *installation.Installation
	// Refused counts a request that is refused, by one of a few reasons; nil counts none.
	Refused  func(reason string)
	Registry *prometheus.Registry
	// Ready returns why the process is not ready, nil if it is.
	Ready func() []string
	// API are the further resources, each a function that answers with what is to be
	// shown as JSON. A key is a path of http.ServeMux ("/v1/agents"), and is for GET.
	API map[string]func(*http.Request) (any, error)
	// Answers are what is done for a person, whom the function is told. A key is a path of
	// http.ServeMux ("/v1/approvals/{id}/approve"), and is for POST. Nobody without a
	// credential may, and no agent of any installation.
	Answers map[string]func(*http.Request, Caller) (any, error)
	// ForPeers are resources like those of API, for declared senders that are peers too.
	ForPeers map[string]func(*http.Request) (any, error)
	// Receive takes events over: POST /v1/events, with the handshake of CloudEvents' web
	// hooks (OPTIONS), and POST /v1/alerts. The receipts are in
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
	if !loopback && o.Token == nil {
		o.Log.Warn("listening beyond loopback without --token-file: without a credential only health and metrics are shown", "address", l.Addr())
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 30 * time.Second
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	refusals := newRefusals(o)
	s := &Server{listener: l, done: make(chan error, 1), http: &http.Server{
		Handler: handler(o, loopback, refusals), ReadHeaderTimeout: min(5*time.Second, o.ReadTimeout), ReadTimeout: o.ReadTimeout,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: o.Log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}), TLSConfig: o.TLS,
		// Of HTTP/2 the timeouts would be of a connection, with any number of requests.
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

// Addr is the address that was opened.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close finishes the requests under way and waits, until the context ends, which cuts
// off what is left: a connection that was opened and never used would hold it up.
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

func handler(o Options, loopback bool, refusals *refusals) http.Handler {
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
	door := &doorkeeper{
		token: o.Token, userToken: o.UserToken, user: o.User, loopback: loopback, senders: o.Senders,
		here: o.Installation, refusals: refusals, log: o.Log,
	}
	for path, answer := range o.API {
		read := api(path, answer, o.Log)
		mux.Handle("GET "+path, door.admits(Read, func(w http.ResponseWriter, r *http.Request, _ Caller) { read(w, r) }))
	}
	for path, answer := range o.Answers {
		mux.Handle("POST "+path, door.persons(door.admits(Answer, func(w http.ResponseWriter, r *http.Request, who Caller) {
			api(path, func(r *http.Request) (any, error) {
				done, err := answer(r, who)
				if err == nil {
					o.Log.Info("done for a person", "request", r.URL.EscapedPath(), "by", who.By(""))
				}
				return done, err
			}, o.Log)(w, r)
		})))
	}
	for path, answer := range o.ForPeers {
		mux.Handle("GET "+path, door.peers(api(path, answer, o.Log)))
	}
	if o.Receive != nil {
		in := newReception(o, door)
		mux.Handle("POST /v1/events", in.handler(in.readEvents))
		mux.Handle("POST /v1/alerts", in.handler(in.readAlerts))
		mux.Handle("OPTIONS /v1/events", door.admits(Send, handshake))
	}
	return door.keepsAgentsOut(mux)
}
