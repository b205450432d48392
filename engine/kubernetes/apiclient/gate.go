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

// ErrDeposed is what a write fails with once this process may not write any more.
var ErrDeposed = errors.New("this process is not the leader any more")

// gate is what every request passes: it bounds how many are under way and how long
// each takes, asks the fence before a write, and counts.
type gate struct {
	*passed
	room    chan struct{}
	timeout time.Duration
	may     func() error // nil lets everything through
}

type passed struct {
	mu sync.Mutex
	by map[string]int64
}

func newGate(concurrency int, timeout time.Duration) *gate {
	return &gate{passed: &passed{by: map[string]int64{}}, room: make(chan struct{}, concurrency), timeout: timeout}
}

func (g *gate) fenced(may func() error) *gate {
	out := *g
	out.may = may
	return &out
}

func (g *gate) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) { return g.pass(r, next) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (g *gate) pass(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isWatch(r) {
		return next.RoundTrip(r)
	}
	select {
	case g.room <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err := g.fence(r); err != nil { // as late as can be: the wait for room may have been long
		<-g.room
		return nil, err
	}
	g.count(r.Method)
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	leave := sync.OnceFunc(func() { cancel(); <-g.room })
	resp, err := next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		leave()
		return nil, err
	}
	resp.Body = &leaving{resp.Body, leave}
	return resp, nil
}

func (g *gate) fence(r *http.Request) error {
	if g.may == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if err := g.may(); err != nil {
		return fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return nil
}

// isWatch tells a stream, which stays open and must not take up room, from a request.
// Nothing is told by the path: an object may be called "watch".
func isWatch(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	q := r.URL.Query()
	return q.Get("watch") == "true" || q.Get("watch") == "1" || q.Get("follow") == "true"
}

func (p *passed) count(method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by[method]++
}

func (p *passed) counts() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]int64, len(p.by))
	for k, v := range p.by {
		out[k] = v
	}
	return out
}

// leaving is a body whose end gives the request's room back.
type leaving struct {
	io.ReadCloser
	leave func()
}

func (b *leaving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.leave()
	}
	return n, err
}

func (b *leaving) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}
