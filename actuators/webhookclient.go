package actuators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/installation"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

const (
	// attemptTimeout bounds one request; the outbox tries again.
	attemptTimeout = 10 * time.Second
	// answerBytes bounds what is read of an answer, so that the connection can be reused;
	// scannedBytes bounds what is searched for secrets, and excerptBytes what an outcome quotes.
	answerBytes  = 64 << 10
	scannedBytes = 4 << 10
	excerptBytes = 200
)

// WebhookClient sends the requests of `webhook`. The identity of the act is the
// Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header), the same for every
// attempt, so that a receiver that honours it acts once.
type WebhookClient struct {
	client *http.Client
	// credentials returns the value of the Authorization header; "" sends none.
	credentials func(ctx context.Context, agent, url string) (string, error)
	// Headers returns the other headers: those that may be shown, and those that are secret.
	// It is set before the first request; nil sends none.
	Headers func(ctx context.Context, agent, url string) (plain, secret http.Header, err error)
}

// NewWebhookClient returns a client. A nil transport is that of net/http; with nil credentials
// no request has any.
func NewWebhookClient(transport http.RoundTripper, credentials func(ctx context.Context, agent, url string) (string, error)) *WebhookClient {
	return &WebhookClient{credentials: credentials, client: &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		// A redirect would carry body and credentials to an address that no guard saw.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Call sends one request and returns an excerpt of the answer, for a person to read. Refused
// connections, timeouts, 408, 425, 429 and 5xx may be retried (engine.IsRetryable), not before
// Retry-After. Any other answer but 2xx is final, and so are credentials that can't be read
// and an address of the installation that runs the agent.
func (c *WebhookClient) Call(ctx context.Context, e engine.Event, to string) (string, error) {
	req, err := request(ctx, e, to)
	if err != nil {
		return "", err
	}
	secrets, err := c.authorize(ctx, req, e.Sender, to)
	if err != nil {
		return "", err
	}
	resp, err := c.client.Do(req)
	if errors.Is(err, installation.ErrOwnListener) {
		return "", fmt.Errorf("POST %s: %w", redact.URL(to), installation.ErrOwnListener)
	}
	if err != nil {
		return "", engine.Retry(fmt.Errorf("POST %s: %w", redact.URL(to), redact.Error(redact.WithoutURL(err), secrets...)))
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, answerBytes)) // what arrived is enough for the excerpt
	status := excerpt([]byte(resp.Status), secrets...)            // the receiver writes the reason phrase too
	answered := status
	if text := excerpt(body, secrets...); text != "" {
		answered += ": " + text
	}
	if refused := installation.Refused(resp); refused != nil {
		return "", fmt.Errorf("POST %s: answered %s: %w", redact.URL(to), status, refused)
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return answered, nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return "", engine.RetryLater(fmt.Errorf("POST %s: answered %s", redact.URL(to), answered), backoff.RetryAfter(resp.Header, time.Now()))
	default:
		return "", fmt.Errorf("POST %s: answered %s", redact.URL(to), answered)
	}
}

// authorize adds the agent's headers for an address, and returns the secrets in them.
func (c *WebhookClient) authorize(ctx context.Context, req *http.Request, agent, to string) (secrets []string, err error) {
	if c.credentials != nil {
		authorization, err := c.credentials(ctx, agent, to)
		if err != nil {
			return nil, err
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
			secrets = append(secrets, authorization)
		}
	}
	if c.Headers != nil {
		plain, secret, err := c.Headers(ctx, agent, to)
		if err != nil {
			return nil, err
		}
		maps.Copy(req.Header, plain)
		maps.Copy(req.Header, secret)
		for _, values := range secret {
			secrets = append(secrets, values...)
		}
	}
	return secrets, nil
}

func request(ctx context.Context, e engine.Event, to string) (*http.Request, error) {
	var body []byte
	if e.Data != nil {
		raw, err := json.Marshal(e.Data)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		body = raw
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("url: is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", e.ID)
	req.Header.Set("User-Agent", "scanflow")
	return req, nil
}

// excerpt returns the beginning of an answer on one line, without the secrets that were sent:
// a receiver may echo them.
func excerpt(body []byte, secrets ...string) string {
	text := redact.Text(strings.ToValidUTF8(string(body[:min(len(body), scannedBytes)]), "?"), secrets...)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > excerptBytes {
		text = strings.ToValidUTF8(text[:excerptBytes], "") + "..."
	}
	return text
}

// Close closes idle connections.
func (c *WebhookClient) Close() { c.client.CloseIdleConnections() }
