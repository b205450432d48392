package actuators

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/queue"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// webhookParams are the parameters of `webhook`.
type webhookParams struct {
	URL  string `json:"url" required:"true" doc:"where to POST; it must be allowed by the agent's guards.urls"`
	Body any    `json:"body" doc:"any JSON value, sent as it is; absent: an empty body"`
}

// Check returns the mistakes in the values.
func (w *webhookParams) Check() mistake.Mistakes {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return mistake.Mistakes{{Path: "url", Message: "is no URL"}} // the parser's error would repeat it, userinfo and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return mistake.Mistakes{{Path: "url", Message: "must begin with http:// or https:// and name a host"}}
	case u.User != nil:
		return mistake.Mistakes{{Path: "url", Message: "holds a user", Fix: "put credentials in the manifest, by reference"}}
	}
	return nil
}

// webhook POSTs JSON to an address: for things that only have an API. The outbox sends the
// request through a WebhookClient, and retries it until it is answered.
type webhook struct {
	call func(ctx context.Context, e engine.Event, c engine.Change, url string) error
	now  func() time.Time
}

func newWebhook(env Env) engine.Actuator { return &webhook{call: env.Call, now: env.Now} }

// Plan reads nothing: the state behind an arbitrary API is unknown.
func (w *webhook) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	var with webhookParams
	if mistakes := manifest.DecodeMap(p.With, &with); len(mistakes) > 0 {
		return engine.Change{}, errors.New(mistakes[0])
	}
	return engine.Change{Diff: "POST " + redact.URL(with.URL)}, nil
}

// Apply returns once the journal holds the request.
func (w *webhook) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	var with webhookParams
	if mistakes := manifest.DecodeMap(c.Proposal.With, &with); len(mistakes) > 0 {
		return engine.Outcome{}, errors.New(mistakes[0])
	}
	if err := w.call(ctx, queue.NewCall(c, with.Body, w.now()), c, with.URL); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: "on its way"}, nil
}
