package mlflow

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// Options configure a Client.
type Options struct {
	// URL is the server's address, as in http://mlflow:5000; a path in it is kept.
	URL string
	// Headers returns the headers that authorize a request; nil sends none.
	Headers Headers
	// TLS configures the trusted authorities; nil trusts the system's.
	TLS *tls.Config
	// Timeout bounds one request; 0 is DefaultTimeout. For an artifact, it bounds the time
	// without progress.
	Timeout time.Duration
}

// Headers returns the headers to send: those that may be shown, and the secret ones, which are
// kept out of errors. It is called for each request, so that a rotated secret takes effect. Its
// error must not hold a secret.
type Headers func(context.Context) (plain, secret http.Header, err error)

// Authorization returns Headers with that header alone; "" sends none.
func Authorization(find func(context.Context) (string, error)) Headers {
	return func(ctx context.Context) (plain, secret http.Header, err error) {
		header, err := find(ctx)
		if err != nil || header == "" {
			return nil, nil, err
		}
		return nil, http.Header{"Authorization": {header}}, nil
	}
}

// DefaultTimeout bounds one request if Options.Timeout is 0.
const DefaultTimeout = 10 * time.Second

// longestAnswer bounds an answer in JSON, in bytes: a page of a thousand runs with
// some hundred metrics, params and tags each.
const longestAnswer = 64 << 20

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base    string // without a slash at its end
	host    string
	headers Headers
	timeout time.Duration
	http    *http.Client
}

// New returns a client. It sends no request.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, errors.New("the tracker's address is not a URL; write it like http://host:5000") // url's own error would quote it, user and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("the tracker's address must begin with http:// or https:// and name a host, like http://host:5000")
	case u.User != nil:
		return nil, errors.New("the tracker's address has a user in it; give the credentials by reference")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the tracker's address ends at its path; leave out what follows ? or #")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	transport.IdleConnTimeout = 30 * time.Second
	if o.TLS != nil {
		transport.TLSClientConfig = o.TLS.Clone()
	}
	c := &Client{base: strings.TrimRight(u.String(), "/"), host: u.Host, headers: o.Headers, timeout: o.Timeout}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	c.http = &http.Client{
		Transport: transport,
		// Another address would get the credentials, and a POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// As returns the client with other headers, on the same connections.
func (c *Client) As(headers Headers) *Client {
	other := *c
	other.headers = headers
	return &other
}

// URL returns the server's address.
func (c *Client) URL() string { return c.base }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// get sends a query and decodes the answer into out.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// post sends a body as JSON and decodes the answer into out, unless out is nil.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

// call sends one request below api/2.0/mlflow/.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/api/2.0/mlflow/"+path, body)
	if err != nil {
		return fmt.Errorf("%s: the request can't be written", path)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, sent, err := c.send(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	var raw []byte
	if resp.ContentLength <= longestAnswer {
		raw, err = io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	}
	switch {
	case err != nil:
		return &transportError{place(r), redact.Error(explain(ctx, err), sent...)}
	case len(raw) > longestAnswer || resp.ContentLength > longestAnswer:
		return fmt.Errorf("%s: %w: more than %d MiB", place(r), ErrTooLarge, longestAnswer>>20)
	case resp.StatusCode != http.StatusOK:
		return answerError(r, resp, raw, sent)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: the answer is not what MLflow would say: %s", place(r), sent.clean(err.Error()))
	}
	return nil
}

// send authorizes a request and sends it. It returns the credentials in it, which must be kept
// out of messages.
func (c *Client) send(r *http.Request) (*http.Response, credentials, error) {
	r.Header.Set("User-Agent", "scanflow")
	var sent credentials
	if c.headers != nil {
		plain, secret, err := c.headers(r.Context())
		if err != nil {
			return nil, sent, fmt.Errorf("%s: %w", place(r), err)
		}
		maps.Copy(r.Header, plain)
		maps.Copy(r.Header, secret)
		sent = slices.Concat(slices.Collect(maps.Values(secret))...)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, sent, &transportError{place(r), redact.Error(explain(r.Context(), err), sent...)}
	}
	return resp, sent, nil
}

// place returns the method and address of a request for errors, without the query, which may
// be long.
func place(r *http.Request) string {
	return r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
}
