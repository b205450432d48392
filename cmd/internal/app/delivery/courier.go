// Package delivery sends the events and the requests of acts that leave the process: to
// peers with the token for peers, to any other address with the credentials of the agent
// that sends. It never retries; the engine's outbox does. Start reading at Carry.
package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// Courier delivers over HTTP.
type Courier struct {
	peers           peers.Options
	credentials     *credentials.Store
	toPeers, others *cloudevents.Client
	calls           *actuators.WebhookClient
}

var _ engine.Deliverer = (*Courier)(nil)

// New makes a courier. toPeers makes the requests to peers, forAgents all others.
func New(o peers.Options, c *credentials.Store, toPeers, forAgents http.RoundTripper) *Courier {
	calls := actuators.NewWebhookClient(forAgents, c.Authorization)
	calls.Headers = c.Headers
	return &Courier{
		peers: o, credentials: c, calls: calls,
		toPeers: cloudevents.New(cloudevents.Options{Transport: toPeers}), others: cloudevents.New(cloudevents.Options{Transport: forAgents}),
	}
}

// Carry delivers events. An unreadable credential is an error that may pass, since it may
// be mounted later. A peer of an earlier start gets nothing: the token is not for it.
func (c *Courier) Deliver(ctx context.Context, to engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	if to.Agent == "" {
		if !slices.Contains(c.peers.Endpoints(), to.URL) {
			return nil, engine.Retry(fmt.Errorf("%s is no --peer any more", redact.URL(to.URL)))
		}
		header, err := c.peers.Authorization()
		if err != nil {
			return nil, engine.Retry(err)
		}
		return c.toPeers.Send(ctx, to.URL, header, events)
	}
	if events[0].Call != nil {
		answer, err := c.calls.Call(ctx, events[0], to.URL)
		return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted, Why: answer}}, err
	}
	header, err := c.credentials.Authorization(ctx, to.Agent, to.URL)
	if err != nil {
		return nil, engine.Retry(err)
	}
	plain, secret, err := c.credentials.Headers(ctx, to.Agent, to.URL)
	if err != nil {
		return nil, engine.Retry(err)
	}
	if header != "" {
		if secret == nil {
			secret = http.Header{}
		}
		secret.Set("Authorization", header)
	}
	return c.others.SendWith(ctx, to.URL, plain, secret, events)
}

// Close closes the connections that no request uses.
func (c *Courier) Close() {
	c.toPeers.Close()
	c.others.Close()
	c.calls.Close()
}
