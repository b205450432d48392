package wiring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
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
func (c *credentials) authorization(ctx context.Context, agent, address string) (string, error) {
	agents := c.agents.Load()
	if agents == nil {
		return "", nil
	}
	var best *manifest.Credential
	has := (*agents)[agent]
	for i, cred := range has.all {
		if cred.Covers(address) && (best == nil || len(cred.URL) > len(best.URL)) {
			best = &has.all[i]
		}
	}
	if best == nil {
		return "", nil
	}
	to, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the address is no URL") // the parser's error would repeat it, userinfo and all
	}
	header, err := c.header(ctx, has.namespace, best, c.from.For(to))
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", strings.TrimSuffix(best.URL, "/"), err)
	}
	return header, nil
}

func (c *credentials) header(ctx context.Context, namespace string, of *manifest.Credential, from manifest.SecretSource) (string, error) {
	if of.BearerToken != nil {
		token, err := of.BearerToken.Read(ctx, namespace, from)
		return "Bearer " + token, err
	}
	password, err := of.BasicAuth.Password.Read(ctx, namespace, from)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(of.BasicAuth.Username+":"+password)), err
}
