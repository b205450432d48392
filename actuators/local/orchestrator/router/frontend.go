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

// errNoReady is returned if the chosen Service has no ready pod.
var errNoReady = errors.New("no ready pod")

// frontend is a Service's port or an HTTPRoute: a reverse proxy that chooses a pod for
// each request.
type frontend struct {
	id        FrontendID
	address   string
	backends  atomic.Pointer[weightedBackends]
	transport http.RoundTripper
	proxy     *httputil.ReverseProxy

	unroutedCounters           func() *counters // of requests without a backend
	requests, errors, inFlight atomic.Int64
}

func newFrontend(id FrontendID, transport http.RoundTripper, unroutedCounters func() *counters, logger hclog.Logger) *frontend {
	f := &frontend{id: id, transport: transport, unroutedCounters: unroutedCounters}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme = "http"
			r.Out.Host = r.In.Host
		},
		Transport:  f,
		BufferPool: &bufferPool{},
		ErrorLog:   debugLogger(logger),
		ModifyResponse: func(resp *http.Response) error {
			requestStateOf(resp.Request).code = resp.StatusCode
			if resp.StatusCode >= http.StatusInternalServerError {
				f.errors.Add(1)
			}
			return nil
		},
		ErrorHandler: f.handleError,
	}
	return f
}

func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	f.inFlight.Add(1)
	defer f.inFlight.Add(-1)
	v := &requestState{code: http.StatusBadGateway}
	defer v.finish()
	r = r.WithContext(context.WithValue(r.Context(), requestStateKey{}, v))
	if r.Body != nil && r.Body != http.NoBody {
		v.body = &requestBody{ReadCloser: r.Body}
		r.Body = v.body
	}
	// Without full duplex the server consumes and closes the body before it writes the
	// response, which cuts the request to the pod, and with it the response.
	_ = http.NewResponseController(w).EnableFullDuplex() // the error is HTTP/2's, which always is full duplex
	f.proxy.ServeHTTP(w, r)
}

// RoundTrip sends the request to a pod. If the connection to it fails, the pod has
// received nothing, so that another one is tried, whatever the method.
func (f *frontend) RoundTrip(req *http.Request) (*http.Response, error) {
	b, counts, some := f.backends.Load().next()
	if !some {
		counts = f.unroutedCounters()
	}
	requestStateOf(req).start(counts)
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

func (f *frontend) send(req *http.Request, e endpoint) (*http.Response, error) {
	out := req.WithContext(req.Context())
	u := *req.URL
	u.Host = e.address
	out.URL = &u
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			e.inflight.dec()
			return nil, err
		}
		out.Body = body
	} else if req.Body != nil && req.Body != http.NoBody {
		// A failed attempt closes its body, which the next attempt needs; the server
		// closes the original.
		out.Body = io.NopCloser(req.Body)
	}
	resp, err := f.transport.RoundTrip(out)
	if err != nil {
		e.inflight.dec()
		return nil, err
	}
	resp.Body = countedResponse(resp.Body, e.inflight)
	return resp, nil
}

// keepSmallBody reads a small body into memory, so that the transport can repeat it if an
// idle connection turns out to be closed before anything was written.
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

// handleError responds to a request that no pod has responded to.
func (f *frontend) handleError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		requestStateOf(r).code = statusClientClosedRequest
		w.WriteHeader(http.StatusBadGateway) // the client has left
		return
	}
	switch requestStateOf(r).body.errorStatus() {
	case statusClientClosedRequest:
		requestStateOf(r).code = statusClientClosedRequest
		w.WriteHeader(http.StatusBadGateway) // the client has left
		return
	case http.StatusBadRequest:
		requestStateOf(r).code = http.StatusBadRequest
		http.Error(w, "the body of the request can't be read", http.StatusBadRequest)
		return
	}
	f.errors.Add(1)
	var op *net.OpError
	if errors.Is(err, errNoReady) || errors.As(err, &op) && op.Op == "dial" {
		requestStateOf(r).code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
		http.Error(w, f.id.String()+" has no ready pod", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, f.id.String()+": the pod did not answer: "+err.Error(), http.StatusBadGateway)
}

// countedResponse wraps a response body to decrement f when it is closed.
func countedResponse(body io.ReadCloser, f *Inflight) io.ReadCloser {
	c := &responseBody{ReadCloser: body, done: sync.OnceFunc(f.dec)}
	if rw, ok := body.(io.ReadWriteCloser); ok { // an upgraded connection
		return &upgradedConn{responseBody: c, Writer: rw}
	}
	return c
}

type responseBody struct {
	io.ReadCloser
	done func()
}

func (c *responseBody) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

type upgradedConn struct {
	*responseBody
	io.Writer
}

// bufferPool is the proxy's pool of copy buffers.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if v, ok := b.pool.Get().(*[]byte); ok {
		return *v
	}
	return make([]byte, 32<<10)
}

func (b *bufferPool) Put(v []byte) { b.pool.Put(&v) }

// debugLogger logs the standard library's messages, such as disconnected clients, at debug
// level.
func debugLogger(logger hclog.Logger) *log.Logger {
	return logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}
