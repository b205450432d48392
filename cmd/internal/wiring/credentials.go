package wiring

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// credentials finds what an agent may show to an address, from its manifest. The
// secret is read for each use, so that a rotated one is taken up.
type credentials struct {
	agents atomic.Pointer[map[string]shown]
	from   manifest.SecretReader // nil outside of Kubernetes
}

// shown is what an agent of a namespace may show.
type shown struct {
	namespace string
	all       []manifest.Credential
}

func (c *credentials) set(agents []*manifest.Agent) {
	m := map[string]shown{}
	for _, a := range agents {
		m[a.Info().String()] = shown{a.Metadata.Namespace, a.Spec.Credentials}
	}
	c.agents.Store(&m)
}

// authorization is the header for a request of an agent to an address; "" where
// its manifest has none. The longest URL that the address is below wins.
func (c *credentials) authorization(ctx context.Context, agent, url string) (string, error) {
	agents := c.agents.Load()
	if agents == nil {
		return "", nil
	}
	var best *manifest.Credential
	has := (*agents)[agent]
	for i, cred := range has.all {
		if cred.Covers(url) && (best == nil || len(cred.URL) > len(best.URL)) {
			best = &has.all[i]
		}
	}
	if best == nil {
		return "", nil
	}
	header, err := c.header(ctx, has.namespace, best)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", strings.TrimSuffix(best.URL, "/"), err)
	}
	return header, nil
}

func (c *credentials) header(ctx context.Context, namespace string, of *manifest.Credential) (string, error) {
	if of.BearerToken != nil {
		token, err := of.BearerToken.Read(ctx, namespace, c.from)
		return "Bearer " + token, err
	}
	password, err := of.BasicAuth.Password.Read(ctx, namespace, c.from)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(of.BasicAuth.Username+":"+password)), err
}
