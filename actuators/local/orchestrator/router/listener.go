package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// drainTime bounds how long a listener that is closed waits for its requests.
const drainTime = 10 * time.Second

// listener is one port of this machine. What it serves can be exchanged.
type listener struct {
	address string
	server  *http.Server
	front   atomic.Pointer[front]
}

func serve(r *Router, on net.Listener) *listener {
	l := &listener{address: on.Addr().String()}
	l.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if f := l.front.Load(); f != nil {
				f.ServeHTTP(w, req)
				return
			}
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          quiet(r.opts.Log),
		BaseContext:       func(net.Listener) context.Context { return r.ctx },
	}
	r.serving.Go(func() {
		if err := l.server.Serve(on); err != nil && !errors.Is(err, http.ErrServerClosed) {
			r.opts.Log.Error("a route no longer accepts requests", "address", l.address, "error", err)
		}
	})
	return l
}

// close lets the requests end, and cuts those that don't in time.
func (l *listener) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("close %s: requests were cut: %w", l.address, err), l.server.Close())
	}
	return nil
}
