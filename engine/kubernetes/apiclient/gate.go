package apiclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// ErrDeposed is the error of a write once this process may not write any more.
var ErrDeposed = errors.New("this process is not the leader any more")

// gate is passed by every request. It bounds how many run concurrently and how long each takes,
// checks the fence before a write, and counts.
type gate struct {
	*requestCounts
	slots    chan struct{}
	timeout  time.Duration
	mayWrite func() error // nil allows all writes
}

type requestCounts struct {
	mu       sync.Mutex
	byMethod map[string]int64
}

func newGate(concurrency int, timeout time.Duration) *gate {
	return &gate{requestCounts: &requestCounts{byMethod: map[string]int64{}}, slots: make(chan struct{}, concurrency), timeout: timeout}
}

func (g *gate) fenced(mayWrite func() error) *gate {
	out := *g
	out.mayWrite = mayWrite
	return &out
}

func (g *gate) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) { return g.roundTrip(r, next) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (g *gate) roundTrip(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	resp, err := g.send(r, next)
	if err != nil {
		return nil, err
	}
	if err := explainUnauthorized(r, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

func (g *gate) send(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isWatch(r) {
		return next.RoundTrip(r)
	}
	select {
	case g.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err := g.fence(r); err != nil { // after the wait for a slot, which may have been long
		<-g.slots
		return nil, err
	}
	g.count(r.Method)
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	release := sync.OnceFunc(func() { cancel(); <-g.slots })
	resp, err := next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &releasingBody{resp.Body, release}
	return resp, nil
}

func (g *gate) fence(r *http.Request) error {
	if g.mayWrite == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if err := g.mayWrite(); err != nil {
		return fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return nil
}

// isWatch reports whether a request opens a stream, which must not occupy a slot. The path
// can't decide this, as an object may be named "watch".
func isWatch(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	q := r.URL.Query()
	return q.Get("watch") == "true" || q.Get("watch") == "1" || q.Get("follow") == "true"
}

func (p *requestCounts) count(method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byMethod[method]++
}

func (p *requestCounts) counts() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]int64, len(p.byMethod))
	for k, v := range p.byMethod {
		out[k] = v
	}
	return out
}

// releasingBody is a response body that releases the request's slot at its end.
type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.release()
	}
	return n, err
}

func (b *releasingBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
