package router

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// clientLeft stands for an answer that nobody waits for any more, as other proxies have it.
const clientLeft = 499

// visit is one request on its way through.
type visit struct {
	counts *counts // nil until a backend is chosen
	code   int
	body   *sentBody // nil where there is none
}

type visitKey struct{}

func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

func (v *visit) begin(c *counts) {
	v.counts = c
	c.requests.Inc()
	c.inFlight.Inc()
}

func (v *visit) end() {
	if v.counts != nil {
		v.counts.inFlight.Dec()
		v.counts.answered(v.code)
	}
}

// sentBody is the body of a request, and remembers why it could not be read to its end.
// It is read by the transport, on a goroutine of its own.
type sentBody struct {
	io.ReadCloser
	err atomic.Pointer[error]
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// fault is the code for a request whose body the client did not send to its end, or not as
// it should; 0 where it did.
func (b *sentBody) fault() int {
	if b == nil || b.err.Load() == nil {
		return 0
	}
	err := *b.err.Load()
	var broken net.Error
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
		return clientLeft
	}
	return http.StatusBadRequest
}
