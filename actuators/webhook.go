package actuators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/web"
)

// WebhookWith are the parameters of `webhook`.
type WebhookWith struct {
	URL  string `json:"url" required:"true" doc:"where to POST; it must be allowed by the agent's guards.urls"`
	Body any    `json:"body" doc:"any JSON value, sent as it is; absent: an empty body"`
}

// Check finds what the types don't show.
func (w *WebhookWith) Check() []string {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return []string{"url: is no URL"} // the parser's error would repeat it, userinfo and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return []string{"url: must begin with http:// or https:// and name a host"}
	case u.User != nil:
		return []string{"url: holds a user; put credentials in the manifest, by reference"}
	}
	return nil
}

// attemptTimeout bounds one POST; the engine tries again until the act's deadline.
const attemptTimeout = 10 * time.Second

// answerBytes is how much of an answer is read, so that the connection can be reused.
const answerBytes = 64 << 10

// webhook POSTs JSON to an address: for things that only have an API. The change's
// identity is the Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header),
// the same for every attempt, so that a receiver that honours it acts once.
type webhook struct {
	client      *http.Client
	credentials func(ctx context.Context, agent, url string) (string, error)
}

func newWebhook(env Env) engine.Actuator {
	return &webhook{
		credentials: env.Credentials,
		client: &http.Client{
			Transport: env.ForAgents, Timeout: attemptTimeout,
			// A redirect would carry body and credentials to an address that no guard saw.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Plan reads nothing: what is behind an API can't be seen.
func (w *webhook) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	var with WebhookWith
	if mistakes := manifest.DecodeMap(p.With, &with); len(mistakes) > 0 {
		return engine.Change{}, errors.New(mistakes[0])
	}
	return engine.Change{Diff: "POST " + web.Shown(with.URL)}, nil
}

// Apply sends the request. Refused connections, timeouts, 408, 425, 429 and 5xx may
// pass and are tried again; any other answer but 2xx is final, and so is an address of
// the installation that runs the agent.
func (w *webhook) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	var with WebhookWith
	if mistakes := manifest.DecodeMap(c.Proposal.With, &with); len(mistakes) > 0 {
		return engine.Outcome{}, errors.New(mistakes[0])
	}
	var body []byte
	if with.Body != nil {
		raw, err := json.Marshal(with.Body)
		if err != nil {
			return engine.Outcome{}, fmt.Errorf("body: %w", err)
		}
		body = raw
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, with.URL, bytes.NewReader(body))
	if err != nil {
		return engine.Outcome{}, errors.New("url: is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", c.Identity)
	req.Header.Set("User-Agent", "scanflow")
	if w.credentials != nil {
		authorization, err := w.credentials(ctx, c.Proposal.Agent, with.URL)
		if err != nil {
			return engine.Outcome{}, err
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
	}
	resp, err := w.client.Do(req)
	if errors.Is(err, installation.ErrOwnListener) {
		return engine.Outcome{}, fmt.Errorf("POST %s: %w", web.Shown(with.URL), installation.ErrOwnListener)
	}
	if err != nil {
		return engine.Outcome{}, engine.Retry(fmt.Errorf("POST %s: %w", web.Shown(with.URL), web.Cause(err)))
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, answerBytes)
	if refused := installation.Refused(resp); refused != nil {
		return engine.Outcome{}, fmt.Errorf("POST %s: answered %s: %w", web.Shown(with.URL), resp.Status, refused)
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return engine.Outcome{Status: engine.Done, Detail: resp.Status}, nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return engine.Outcome{}, engine.Retry(fmt.Errorf("POST %s: answered %s", web.Shown(with.URL), resp.Status))
	default:
		return engine.Outcome{}, fmt.Errorf("POST %s: answered %s", web.Shown(with.URL), resp.Status)
	}
}
