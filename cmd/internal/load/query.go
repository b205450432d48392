package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Status is how a query ended: the HTTP status, or one of those below.
type Status int16

const (
	NoReply  Status = -1 // the connection was refused, or broke
	TimedOut Status = -2 // no whole reply within the timeout
	Overflow Status = -3 // not sent: too many were outstanding
)

// OK reports whether the query was answered as it should be.
func (s Status) OK() bool { return s >= 200 && s < 300 }

// String is the HTTP status, or what happened in its place.
func (s Status) String() string {
	switch s {
	case NoReply:
		return "no_reply"
	case TimedOut:
		return "timeout"
	case Overflow:
		return "not_sent"
	}
	return strconv.Itoa(int(s))
}

// maxReply bounds what is read of a reply; more is no answer to a query.
const maxReply = 16 << 20

// query posts the n-th query and reads its reply to the end.
func (g *Generator) query(ctx context.Context, client *http.Client, n int) Status {
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	kind, body := g.o.Body(n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.o.URL, bytes.NewReader(body))
	if err != nil {
		return NoReply
	}
	req.Header.Set("Content-Type", kind)
	if g.o.Header != nil {
		for name, value := range g.o.Header(n) {
			req.Header.Set(name, value)
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = res.Body.Close() }()
	size, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxReply+1))
	if err != nil {
		return failed(err)
	}
	if size > maxReply {
		return NoReply
	}
	return Status(res.StatusCode)
}

func failed(err error) Status {
	if errors.Is(err, context.DeadlineExceeded) {
		return TimedOut
	}
	return NoReply
}
