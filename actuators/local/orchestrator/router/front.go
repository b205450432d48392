package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

// errNoReady says that no pod of the chosen Service can take the request.
var errNoReady = errors.New("no ready pod")

// front is the way in to a Service or an HTTPRoute: a reverse proxy that chooses a
// pod for each request.
type front struct {
	way       Way
	address   string
	target    atomic.Pointer[weighted]
	transport http.RoundTripper
	proxy     *httputil.ReverseProxy

	nobody                     func() *counts // for requests that no backend is chosen for
	requests, errors, inFlight atomic.Int64
}

func newFront(way Way, transport http.RoundTripper, nobody func() *counts, logger hclog.Logger) *front {
	f := &front{way: way, transport: transport, nobody: nobody}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme = "http"
			r.Out.Host = r.In.Host
		},
		Transport:  f,
		BufferPool: &buffers{},
		ErrorLog:   quiet(logger),
		ModifyResponse: func(resp *http.Response) error {
			visitOf(resp.Request).code = resp.StatusCode
			if resp.StatusCode >= http.StatusInternalServerError {
				f.errors.Add(1)
			}
			return nil
		},
		ErrorHandler: f.fail,
	}
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	f.inFlight.Add(1)
	defer f.inFlight.Add(-1)
	v := &visit{code: http.StatusBadGateway}
	defer v.end()
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	if r.Body != nil && r.Body != http.NoBody {
		v.body = &sentBody{ReadCloser: r.Body}
		r.Body = v.body
	}
	// Else the server reads the body to its end, and closes it, before it passes the
	// answer on: what the pod is being sent breaks off, and its answer with it.
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
	f.proxy.ServeHTTP(w, r)
}

// RoundTrip sends the request to a pod. A pod that can't be connected to has
// received nothing, so that another may be tried, whatever the method.
func (f *front) RoundTrip(req *http.Request) (*http.Response, error) {
	b, counts, some := f.target.Load().next()
	if !some {
		counts = f.nobody()
	}
	visitOf(req).begin(counts)
	if !some {
		return nil, errNoReady
	}
	if err := keepSmallBody(req); err != nil {
		return nil, err
	}
	var tried []string
	err := errNoReady
	for {
		e, ok := b.pick(tried)
		if !ok {
			return nil, err
		}
		var resp *http.Response
		if resp, err = f.send(req, e); err == nil {
			return resp, nil
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || req.Context().Err() != nil {
			return nil, err
		}
		tried = append(tried, e.address)
	}
}

func (f *front) send(req *http.Request, e endpoint) (*http.Response, error) {
	out := req.WithContext(req.Context())
	u := *req.URL
	u.Host = e.address
	out.URL = &u
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			e.flight.leave()
			return nil, err
		}
		out.Body = body
	} else if req.Body != nil && req.Body != http.NoBody {
		// A failed attempt closes its body, which the next attempt still needs; the
		// server closes the real one.
		out.Body = io.NopCloser(req.Body)
	}
	resp, err := f.transport.RoundTrip(out)
	if err != nil {
		e.flight.leave()
		return nil, err
	}
	resp.Body = counted(resp.Body, e.flight)
	return resp, nil
}

// keepSmallBody reads a small body into memory, so that the transport can send it
// anew where an idle connection turns out to be closed before anything was written.
func keepSmallBody(req *http.Request) error {
	const small = 64 << 10
	if req.Body == nil || req.Body == http.NoBody || req.ContentLength <= 0 || req.ContentLength > small {
		return nil
	}
	body := make([]byte, req.ContentLength)
	if _, err := io.ReadFull(req.Body, body); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return nil
}

// fail answers a request that no pod answered.
func (f *front) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		visitOf(r).code = clientLeft
		w.WriteHeader(http.StatusBadGateway) // nobody reads it
		return
	}
	switch visitOf(r).body.fault() {
	case clientLeft:
		visitOf(r).code = clientLeft
		w.WriteHeader(http.StatusBadGateway) // nobody reads it
		return
	case http.StatusBadRequest:
		visitOf(r).code = http.StatusBadRequest
		http.Error(w, "the body of the request can't be read", http.StatusBadRequest)
		return
	}
	f.errors.Add(1)
	var op *net.OpError
	if errors.Is(err, errNoReady) || errors.As(err, &op) && op.Op == "dial" {
		visitOf(r).code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
		http.Error(w, f.way.String()+" has no ready pod", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, f.way.String()+": the pod did not answer: "+err.Error(), http.StatusBadGateway)
}

// counted counts the request out of flight when its answer has been read.
func counted(body io.ReadCloser, f *Flight) io.ReadCloser {
	c := &countedBody{ReadCloser: body, leave: sync.OnceFunc(f.leave)}
	if rw, ok := body.(io.ReadWriteCloser); ok { // an upgraded connection
		return &countedConn{countedBody: c, Writer: rw}
	}
	return c
}

type countedBody struct {
	io.ReadCloser
	leave func()
}

func (c *countedBody) Close() error {
	defer c.leave()
	return c.ReadCloser.Close()
}

type countedConn struct {
	*countedBody
	io.Writer
}

// buffers lends the proxy its copying buffers.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if v, ok := b.pool.Get().(*[]byte); ok {
		return *v
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(v []byte) { b.pool.Put(&v) }

// quiet has the standard library's complaints (a client that hung up) at debug level.
func quiet(logger hclog.Logger) *log.Logger {
	return logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}
