package cloudevents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// Options configure a Client.
type Options struct {
	// Timeout bounds one Send; 0 is 10 s.
	Timeout time.Duration
	// Transport sends the requests; nil trusts the system's authorities and has no client
	// certificate.
	Transport http.RoundTripper
	// UserAgent is sent with each request; "" is scanflow.
	UserAgent string
}

// Client sends events to CloudEvents endpoints.
type Client struct {
	http      *http.Client
	userAgent string
}

// New returns a client. It opens no connection.
func New(o Options) *Client {
	if o.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 4
		transport.IdleConnTimeout = 30 * time.Second
		o.Transport = transport
	}
	c := &Client{userAgent: o.UserAgent, http: &http.Client{
		Transport: o.Transport, Timeout: o.Timeout,
		// A redirect would carry events and credentials to an address that no guard saw.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.http.Timeout == 0 {
		c.http.Timeout = 10 * time.Second
	}
	if c.userAgent == "" {
		c.userAgent = "scanflow"
	}
	return c
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Send sends events in one request: one event in the structured mode, which any CloudEvents
// endpoint reads, and several in the batched mode, which only another Scanflow reads.
// authorization is the header of that name, "" for none.
//
// The receipts are in the order of the events. A single event is accepted if the endpoint
// answers 2xx, even without receipts. The error is a *FinalError if the same request would fail
// again, and otherwise one that may be retried (engine.IsRetryable), not before the answer's
// Retry-After. After an error, events may have been accepted all the same.
func (c *Client) Send(ctx context.Context, to, authorization string, events []engine.Event) ([]engine.Receipt, error) {
	secret := http.Header{}
	if authorization != "" {
		secret.Set("Authorization", authorization)
	}
	return c.SendWith(ctx, to, nil, secret, events)
}

// SendWith is Send with headers: those that may be shown, and those that are secret.
func (c *Client) SendWith(ctx context.Context, to string, plain, secret http.Header, events []engine.Event) ([]engine.Receipt, error) {
	if len(events) == 0 {
		return nil, nil
	}
	body, mediaType, err := encode(events)
	if err != nil {
		return nil, &FinalError{text: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, &FinalError{text: "the address is no URL"} // the parser's error would repeat it, userinfo and all
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	maps.Copy(req.Header, plain)
	maps.Copy(req.Header, secret)
	secrets := slices.Concat(slices.Collect(maps.Values(secret))...)
	resp, err := c.http.Do(req)
	if errors.Is(err, installation.ErrOwnListener) {
		return nil, &FinalError{text: fmt.Sprintf("POST %s: %s", redact.URL(to), installation.ErrOwnListener)}
	}
	if err != nil {
		return nil, engine.Retry(fmt.Errorf("POST %s: %w", redact.URL(to), redact.Error(explain(err), secrets...)))
	}
	defer func() { _ = resp.Body.Close() }()
	if refused := installation.Refused(resp); refused != nil {
		return nil, &FinalError{Status: resp.StatusCode, text: fmt.Sprintf("POST %s: answered %s: %s", redact.URL(to), redact.Text(resp.Status, secrets...), refused)}
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	a := answer{to: redact.URL(to), secrets: secrets, resp: resp, body: said, cut: err}
	return a.receipts(events)
}

// explain removes the request's URL from an error, and puts a deadline into words.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no full answer in time: %w", context.DeadlineExceeded)
	}
	return redact.WithoutURL(err)
}
