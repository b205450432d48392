package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
)

// Status is the result of a query: the HTTP status, or one of those below.
type Status int16

const (
	NoReply  Status = -1 // the connection was refused or closed
	TimedOut Status = -2 // no complete reply within the timeout
	Overflow Status = -3 // not sent: too many were outstanding
)

// OK reports whether the query succeeded.
func (s Status) OK() bool { return s >= 200 && s < 300 }

// String returns the HTTP status, or the kind of failure.
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

// maxReply bounds the size of a reply, in bytes.
const maxReply = 16 << 20

// poster posts to one address. It does not follow redirects; a redirect counts as a failure.
type poster struct {
	options   *Options
	url       *url.URL
	basic     string // the Authorization header, for a URL with user information
	transport http.RoundTripper
	noReply   atomic.Pointer[string] // the error of the first query without a reply
}

func newPoster(o *Options) (*poster, error) {
	p := &poster{options: o, transport: o.Transport}
	var err error
	if p.url, err = url.Parse(o.URL); err != nil {
		return nil, errors.New("url: it is not an http:// or https:// address")
	}
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		p.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
	}
	return p, nil
}

// request returns the request of the n-th query. It is built without http.NewRequest,
// whose other work would be repeated for every query.
func (p *poster) request(n int) *http.Request {
	kind, body := p.options.Body(n)
	req := &http.Request{
		Method: http.MethodPost, URL: p.url, Host: p.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {kind}}, ContentLength: int64(len(body)), Body: http.NoBody,
	}
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
		// Like http.Client, retry once if the server has closed an idle connection.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	if p.basic != "" {
		req.Header["Authorization"] = []string{p.basic}
	}
	if p.options.Header != nil {
		for name, value := range p.options.Header(n) {
			req.Header.Set(name, value)
			if name == "Host" {
				req.Host = value
			}
		}
	}
	return req
}

// query posts the n-th query and reads the whole reply.
func (p *poster) query(ctx context.Context, n int) Status {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	res, err := p.transport.RoundTrip(p.request(n).WithContext(ctx))
	if err != nil {
		return p.failed(err)
	}
	defer func() { _ = res.Body.Close() }()
	size, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxReply+1))
	if err != nil {
		return p.failed(err)
	}
	if size > maxReply {
		return p.failed(fmt.Errorf("the reply has more than %d bytes", maxReply))
	}
	return Status(res.StatusCode)
}

func (p *poster) failed(err error) Status {
	if errors.Is(err, context.DeadlineExceeded) {
		return TimedOut
	}
	why := err.Error()
	p.noReply.CompareAndSwap(nil, &why)
	return NoReply
}
