package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// drainTime bounds how long a closed listener waits for its requests.
const drainTime = 10 * time.Second

// listener serves one port of this machine. Its frontend can be replaced at any time.
type listener struct {
	address  string
	server   *http.Server
	frontend atomic.Pointer[frontend]
}

func serve(r *Router, on net.Listener) *listener {
	l := &listener{address: on.Addr().String()}
	l.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if f := l.frontend.Load(); f != nil {
				f.ServeHTTP(w, req)
				return
			}
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          debugLogger(r.opts.Log),
		BaseContext:       func(net.Listener) context.Context { return r.ctx },
	}
	r.serving.Go(func() {
		if err := l.server.Serve(on); err != nil && !errors.Is(err, http.ErrServerClosed) {
			r.opts.Log.Error("a route no longer accepts requests", "address", l.address, "error", err)
		}
	})
	return l
}

// close waits for the requests in flight, and cuts those that don't end in time.
func (l *listener) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("close %s: requests were cut: %w", l.address, err), l.server.Close())
	}
	return nil
}

// loopback is the address of every listener, and the default address of a pod.
const loopback = "127.0.0.1"

// ListenError is a frontend that can't listen on its port.
type ListenError struct {
	Frontend FrontendID
	Err      error
	// ConflictsWith is the frontend that uses the port already; nil if another program
	// uses it, or the port is not permitted.
	ConflictsWith *FrontendID
}

func (e *ListenError) Error() string {
	if e.ConflictsWith != nil {
		return fmt.Sprintf("%s and %s both want port %d of %s; give one another port", e.ConflictsWith, e.Frontend, e.Frontend.Port, loopback)
	}
	return fmt.Sprintf("%s can't listen: %v; free the port, or give it another (1024 and up need no privilege)", e.Frontend, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// listen opens the listeners that don't exist yet.
func (r *Router) listen(ctx context.Context, ids []FrontendID) (map[string]*listener, error) {
	opened, owner := map[string]*listener{}, map[string]FrontendID{}
	var errs []error
	for _, id := range ids {
		at := r.listenKey(id)
		if first, conflict := owner[at]; conflict {
			errs = append(errs, &ListenError{Frontend: id, ConflictsWith: &first})
			continue
		}
		owner[at] = id
		if r.listeners[at] != nil {
			continue
		}
		port := int(id.Port)
		if r.opts.RandomPorts {
			port = 0
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			errs = append(errs, &ListenError{Frontend: id, Err: err})
			continue
		}
		opened[at] = serve(r, l)
	}
	if len(errs) > 0 {
		for _, l := range opened {
			_ = l.close(r.ctx)
		}
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

// listenKey identifies a listener by its port, so that two frontends can swap ports. With
// RandomPorts it identifies the listener by its frontend.
func (r *Router) listenKey(id FrontendID) string {
	if r.opts.RandomPorts {
		return id.String() + ":" + strconv.Itoa(int(id.Port))
	}
	return strconv.Itoa(int(id.Port))
}
