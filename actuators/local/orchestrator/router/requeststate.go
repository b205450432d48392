package router

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// statusClientClosedRequest is nginx' status for a request whose client disconnected.
const statusClientClosedRequest = 499

// requestState is the state of one request, for the metrics. It is in the request's context.
type requestState struct {
	counters *counters // nil until a backend is chosen
	code     int
	body     *requestBody // nil for a request without a body
}

type requestStateKey struct{}

func requestStateOf(r *http.Request) *requestState {
	if v, ok := r.Context().Value(requestStateKey{}).(*requestState); ok {
		return v
	}
	return &requestState{}
}

func (v *requestState) start(c *counters) {
	v.counters = c
	c.requests.Inc()
	c.inFlight.Inc()
}

func (v *requestState) finish() {
	if v.counters != nil {
		v.counters.inFlight.Dec()
		v.counters.responded(v.code)
	}
}

// requestBody records the error that ended the reading of a request's body. The transport
// reads it in a goroutine of its own.
type requestBody struct {
	io.ReadCloser
	err atomic.Pointer[error]
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// errorStatus returns the status for a body that the client sent incompletely or
// malformed; 0 if there was no error.
func (b *requestBody) errorStatus() int {
	if b == nil || b.err.Load() == nil {
		return 0
	}
	err := *b.err.Load()
	var broken net.Error
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
		return statusClientClosedRequest
	}
	return http.StatusBadRequest
}
