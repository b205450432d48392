package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what a server shows.
type Options struct {
	// Token opens everything but health and metrics to who sends it as a bearer
	// token. Without one, that is open on a loopback address and closed on any other.
	Token    string
	Registry *prometheus.Registry
	// Ready returns why the process is not ready, nil if it is.
	Ready func() []string
	// API are the further resources by path ("/v1/agents"), each a function that
	// answers with what is to be shown as JSON.
	API map[string]func(*http.Request) (any, error)
	Log hclog.Logger
}

// ErrBadRequest is what an API function wraps where the request is at fault.
var ErrBadRequest = errors.New("bad request")

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
	s := &Server{listener: l, done: make(chan error, 1), http: &http.Server{
		Handler: handler(o, loopback), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: o.Log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}),
	}}
	go func() { s.done <- s.http.Serve(l) }()
	return s
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
	for path, answer := range o.API {
		mux.Handle("GET "+path, guarded(o.Token, loopback, func(w http.ResponseWriter, r *http.Request) {
			v, err := answer(r)
			switch {
			case errors.Is(err, ErrBadRequest):
				reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			case err != nil:
				o.Log.Error("request failed", "path", path, "error", err)
				reply(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
			default:
				reply(w, http.StatusOK, v)
			}
		}))
	}
	return mux
}

// guarded lets through who shows the token; without a token, who comes over
// loopback and names a loopback host (a page in a browser that was made to
// resolve its own name to 127.0.0.1 does not).
func guarded(token string, loopback bool, next http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		switch {
		case token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1:
		case token == "" && loopback && loopbackHost(r.Host):
		case token == "":
			reply(w, http.StatusForbidden, map[string]string{"error": "closed beyond loopback: start scanflow with --token-file"})
			return
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="scanflow"`)
			reply(w, http.StatusUnauthorized, map[string]string{"error": "wants the bearer token of --token-file"})
			return
		}
		next(w, r)
	})
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, body)
}

func reply(w http.ResponseWriter, code int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		code, raw = http.StatusInternalServerError, []byte(`{"error":"the answer can't be shown as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(raw, '\n'))
}
