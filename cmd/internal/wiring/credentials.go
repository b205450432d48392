package wiring

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// credentials finds what an agent may show to an address, from its manifest. The
// secret is read for each use, so that a rotated one is taken up.
type credentials struct {
	agents atomic.Pointer[map[string][]manifest.Credential]
}

func (c *credentials) set(agents []*manifest.Agent) {
	m := map[string][]manifest.Credential{}
	for _, a := range agents {
		m[a.Info().String()] = a.Spec.Credentials
	}
	c.agents.Store(&m)
}

// authorization is the header for a request of an agent to an address; "" where
// its manifest has none. The longest URL that the address is below wins.
func (c *credentials) authorization(agent, url string) (string, error) {
	agents := c.agents.Load()
	if agents == nil {
		return "", nil
	}
	var best *manifest.Credential
	for i, cred := range (*agents)[agent] {
		if cred.Covers(url) && (best == nil || len(cred.URL) > len(best.URL)) {
			best = &(*agents)[agent][i]
		}
	}
	if best == nil {
		return "", nil
	}
	header, err := headerOf(best)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", strings.TrimSuffix(best.URL, "/"), err)
	}
	return header, nil
}

func headerOf(c *manifest.Credential) (string, error) {
	if c.BearerToken != nil {
		token, err := c.BearerToken.Read()
		return "Bearer " + token, err
	}
	password, err := c.BasicAuth.Password.Read()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.BasicAuth.Username+":"+password)), err
}
