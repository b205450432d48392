// Package peers is this process' side towards its peers, the other scanflow processes
// named by --peer: how requests reach them, and what their agents hold. It never decides
// what a claim of a peer means; the engine does. Start reading at Claims.
package peers

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
)

const (
	// ClaimsPath is the path at which a peer lists the claims of its agents.
	ClaimsPath = "/v1/peer/claims"
	// eventsPath is the path at which a peer receives events.
	eventsPath = "/v1/events"
)

// Options name the peers, and how they and this process know each other.
type Options struct {
	// URLs are the base URLs of the peers. Their agents get the events of this process.
	URLs []string
	// TokenFile holds the bearer token to send to them; "" sends none.
	TokenFile string
	// TLS returns the configuration of connections to them, another one once it has
	// changed. Nil uses the system's authorities and shows no certificate.
	TLS func() *tls.Config
}

// Endpoints are the peers' URLs for events.
func (o *Options) Endpoints() []string {
	var out []string
	for _, peer := range o.URLs {
		out = append(out, strings.TrimSuffix(peer, "/")+eventsPath)
	}
	return out
}

// Authorization is that header of a request to a peer. It reads the token each time, so
// that a rotated one is used.
func (o *Options) Authorization() (string, error) {
	if o.TokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--peer-token-file: %w", err)
	}
	return "Bearer " + strings.TrimSpace(string(raw)), nil
}
