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
	// answerBytes is how much of an answer is read, so that the connection can be reused,
	// answerLooked how much of that is looked at, and answerShown how much of it an outcome
	// has.
	answerBytes  = 64 << 10
	answerLooked = 4 << 10
	answerShown  = 200
)

// Caller makes the requests of `webhook`. The identity of the act is the Idempotency-Key
// (IETF draft-ietf-httpapi-idempotency-key-header), the same for every attempt, so that a
// receiver that honours it acts once.
type Caller struct {
	client *http.Client
	// credentials finds what to send in the Authorization header, "" for nothing.
	credentials func(ctx context.Context, agent, url string) (string, error)
	// Headers finds the other headers: those that may be shown, and those that are secret.
	// It is set before the first request; nil sends none.
	Headers func(ctx context.Context, agent, url string) (plain, secret http.Header, err error)
}

// NewCaller makes one; a nil transport makes requests as net/http does, and nil
// credentials show none.
func NewCaller(transport http.RoundTripper, credentials func(ctx context.Context, agent, url string) (string, error)) *Caller {
	return &Caller{credentials: credentials, client: &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		// A redirect would carry body and credentials to an address that no guard saw.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Call sends one request, and returns what was answered, for a person. Refused
// connections, timeouts, 408, 425, 429 and 5xx may pass (engine.MayPass), not before
// Retry-After; any other answer but 2xx is final, and so are credentials that can't be read
// and an address of the installation that runs the agent.
func (c *Caller) Call(ctx context.Context, e engine.Event, to string) (string, error) {
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
	body, _ := io.ReadAll(io.LimitReader(resp.Body, answerBytes)) // as much as there is
	status := shown([]byte(resp.Status), secrets...)              // its words are the receiver's too
	said := status
	if text := shown(body, secrets...); text != "" {
		said += ": " + text
	}
	if refused := installation.Refused(resp); refused != nil {
		return "", fmt.Errorf("POST %s: answered %s: %w", redact.URL(to), status, refused)
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return said, nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return "", engine.RetryLater(fmt.Errorf("POST %s: answered %s", redact.URL(to), said), backoff.RetryAfter(resp.Header, time.Now()))
	default:
		return "", fmt.Errorf("POST %s: answered %s", redact.URL(to), said)
	}
}

// authorize adds the headers of an agent for an address, and returns the secrets in them.
func (c *Caller) authorize(ctx context.Context, req *http.Request, agent, to string) (secrets []string, err error) {
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

// shown is the beginning of an answer on one line, without the secrets that were sent,
// which it may repeat.
func shown(body []byte, secrets ...string) string {
	text := redact.Text(strings.ToValidUTF8(string(body[:min(len(body), answerLooked)]), "?"), secrets...)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > answerShown {
		text = strings.ToValidUTF8(text[:answerShown], "") + "..."
	}
	return text
}

// Close ends the connections that wait for a next request.
func (c *Caller) Close() { c.client.CloseIdleConnections() }
