package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// MailOptions are how events leave this process.
type MailOptions struct {
	// Peers are the base URLs of other processes, whose agents get the events of this
	// one's.
	Peers []string
	// PeerTokenFile holds the bearer token to show to them; "" shows none.
	PeerTokenFile string
	// PeerTLS is how they are known, and this process to them: another config once that has
	// changed. Nil trusts the system's authorities, and shows nothing.
	PeerTLS func() *tls.Config
}

// eventsPath is where a peer takes events.
const eventsPath = "/v1/events"

// courier delivers events, and the requests of acts, over HTTP: to peers with this process's own credentials, to
// any other address with those of the agent that sends, marked as an agent's.
type courier struct {
	peers, others *cloudevents.Client
	calls         *actuators.WebhookClient
	endpoints     []string // of the peers
	tokenFile     string
	credentials   *credentials
}

var _ engine.Courier = (*courier)(nil)

// newCourier makes one; toPeers makes the requests to peers, forAgents all others.
func newCourier(o MailOptions, c *credentials, toPeers, forAgents http.RoundTripper) *courier {
	calls := actuators.NewWebhookClient(forAgents, c.authorization)
	calls.Headers = c.headers
	return &courier{
		peers: cloudevents.New(cloudevents.Options{Transport: toPeers}), others: cloudevents.New(cloudevents.Options{Transport: forAgents}),
		calls:     calls,
		endpoints: o.endpoints(), tokenFile: o.PeerTokenFile, credentials: c,
	}
}

// endpoints are the peers' addresses for events.
func (o *MailOptions) endpoints() []string {
	var out []string
	for _, peer := range o.Peers {
		out = append(out, strings.TrimSuffix(peer, "/")+eventsPath)
	}
	return out
}

// Carry hands events over. A credential that can't be read may pass: it may be mounted
// later. Nothing goes to a peer of an earlier start, whose token is not for it any more.
func (c *courier) Carry(ctx context.Context, to engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	if to.Agent == "" {
		if !slices.Contains(c.endpoints, to.URL) {
			return nil, engine.Retry(fmt.Errorf("%s is no --peer any more", redact.URL(to.URL)))
		}
		header, err := c.peerHeader()
		if err != nil {
			return nil, engine.Retry(err)
		}
		return c.peers.Send(ctx, to.URL, header, events)
	}
	if events[0].Call != nil {
		said, err := c.calls.Call(ctx, events[0], to.URL)
		return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted, Why: said}}, err
	}
	header, err := c.credentials.authorization(ctx, to.Agent, to.URL)
	if err != nil {
		return nil, engine.Retry(err)
	}
	plain, secret, err := c.credentials.headers(ctx, to.Agent, to.URL)
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

// peerHeader reads the token for each use, so that a rotated one is taken up.
func (c *courier) peerHeader() (string, error) {
	if c.tokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--peer-token-file: %w", err)
	}
	return "Bearer " + strings.TrimSpace(string(raw)), nil
}

func (c *courier) close() {
	c.peers.Close()
	c.others.Close()
	c.calls.Close()
}
