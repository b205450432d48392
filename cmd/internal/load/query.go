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

// poster posts to one address. It follows no redirect: that is an answer, and no good one.
type poster struct {
	options   *Options
	url       *url.URL
	basic     string // Authorization of an address with a user
	transport http.RoundTripper
	noReply   atomic.Pointer[string] // why the first query without a reply had none
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

// request is the n-th query's. It is made by hand, for there are many: what
// http.NewRequest and http.Client do beside this is the same for all of them.
func (p *poster) request(n int) *http.Request {
	kind, body := p.options.Body(n)
	req := &http.Request{
		Method: http.MethodPost, URL: p.url, Host: p.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {kind}}, ContentLength: int64(len(body)), Body: http.NoBody,
	}
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
		// A connection that the server closed meanwhile is tried once more, as http.Client does.
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

// query posts the n-th query and reads its reply to the end.
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
