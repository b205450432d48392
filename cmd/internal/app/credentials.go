package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
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

// of returns the credential that an agent's manifest has for an address, nil where it has
// none. Of several that the address is below, the innermost wins.
func (c *credentials) of(agent, address string) (best *manifest.Credential, namespace string, from manifest.SecretSource, err error) {
	agents := c.agents.Load()
	if agents == nil {
		return nil, "", nil, nil
	}
	has := (*agents)[agent]
	for i, cred := range has.all {
		if cred.Covers(address) && (best == nil || best.Covers(cred.URL)) {
			best = &has.all[i]
		}
	}
	if best == nil {
		return nil, "", nil, nil
	}
	to, err := url.Parse(address)
	if err != nil {
		return nil, "", nil, errors.New("the address is no URL") // the parser's error would repeat it, userinfo and all
	}
	return best, has.namespace, c.from.For(to), nil
}

// authorization is that header for a request of an agent to an address; "" where its
// manifest has none.
func (c *credentials) authorization(ctx context.Context, agent, address string) (string, error) {
	best, namespace, from, err := c.of(agent, address)
	if err != nil || best == nil {
		return "", err
	}
	header, err := c.header(ctx, namespace, best, from)
	if err != nil {
		return "", failed(best, err)
	}
	return header, nil
}

// headers are the others of such a request: those that may be shown, and those that are
// secret.
func (c *credentials) headers(ctx context.Context, agent, address string) (plain, secret http.Header, err error) {
	best, namespace, from, err := c.of(agent, address)
	if err != nil || best == nil {
		return nil, nil, err
	}
	if plain, secret, err = best.Headers.Read(ctx, namespace, from); err != nil {
		return nil, nil, failed(best, err)
	}
	return plain, secret, nil
}

func failed(of *manifest.Credential, err error) error {
	return fmt.Errorf("credentials for %s: %w", strings.TrimSuffix(of.URL, "/"), err)
}

func (c *credentials) header(ctx context.Context, namespace string, of *manifest.Credential, from manifest.SecretSource) (string, error) {
	switch {
	case of.BearerToken != nil:
		token, err := of.BearerToken.Read(ctx, namespace, from)
		return "Bearer " + token, err
	case of.BasicAuth == nil:
		return "", nil
	}
	password, err := of.BasicAuth.Password.Read(ctx, namespace, from)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(of.BasicAuth.Username+":"+password)), err
}
