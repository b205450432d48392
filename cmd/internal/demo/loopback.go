package demo

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// loopback serves a handler on a free port of 127.0.0.1 until the server is closed.
func loopback(ctx context.Context, tasks *sync.WaitGroup, h http.Handler) (url string, server *http.Server, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	tasks.Go(func() { _ = server.Serve(l) }) // returns after Close
	return "http://" + l.Addr().String(), server, nil
}
