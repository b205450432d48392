// Package credentials finds the secrets that agents send: which credentials of an agent's
// manifest apply to an address, and whether a Secret of Kubernetes may be sent there. It
// sends no request of an agent itself. Start reading at Store.
package credentials

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

// Store holds the credentials of the agents that run. It reads a secret at each use, so
// that a rotated one is used.
type Store struct {
	agents  atomic.Pointer[map[string]ofAgent]
	secrets manifest.SecretReader // nil outside of Kubernetes
}

type ofAgent struct {
	namespace string
	all       []manifest.Credential
}

// NewStore makes a store without agents. secrets reads Secrets of Kubernetes; nil where
// there are none.
func NewStore(secrets manifest.SecretReader) *Store {
	s := &Store{secrets: secrets}
	s.agents.Store(&map[string]ofAgent{})
	return s
}

// Set replaces the credentials by those of these agents.
func (s *Store) Set(agents []*manifest.Agent) {
	m := map[string]ofAgent{}
	for _, a := range agents {
		m[a.Info().String()] = ofAgent{a.Metadata.Namespace, a.Spec.Credentials}
	}
	s.agents.Store(&m)
}

// match is the credential of an agent for one address.
type match struct {
	*manifest.Credential
	namespace string
	from      manifest.SecretSource
}

// find returns the credential that an agent's manifest has for an address, nil for none.
// Of several URLs that cover the address, the innermost wins.
func (s *Store) find(agent, address string) (*match, error) {
	has := (*s.agents.Load())[agent]
	var best *manifest.Credential
	for i, cred := range has.all {
		if cred.Covers(address) && (best == nil || best.Covers(cred.URL)) {
			best = &has.all[i]
		}
	}
	if best == nil {
		return nil, nil
	}
	to, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address is no URL") // the parser's error would repeat it, userinfo and all
	}
	return &match{best, has.namespace, s.secrets.For(to)}, nil
}

// Authorization returns that header for a request of an agent to an address; "" where its
// manifest has none.
func (s *Store) Authorization(ctx context.Context, agent, address string) (string, error) {
	m, err := s.find(agent, address)
	if err != nil || m == nil {
		return "", err
	}
	header, err := m.authorization(ctx)
	if err != nil {
		return "", m.wrap(err)
	}
	return header, nil
}

// Headers returns the other headers of such a request: those that may be logged, and those
// that are secret.
func (s *Store) Headers(ctx context.Context, agent, address string) (plain, secret http.Header, err error) {
	m, err := s.find(agent, address)
	if err != nil || m == nil {
		return nil, nil, err
	}
	if plain, secret, err = m.Credential.Headers.Read(ctx, m.namespace, m.from); err != nil {
		return nil, nil, m.wrap(err)
	}
	return plain, secret, nil
}

func (m *match) wrap(err error) error {
	return fmt.Errorf("credentials for %s: %w", strings.TrimSuffix(m.URL, "/"), err)
}

func (m *match) authorization(ctx context.Context) (string, error) {
	switch {
	case m.BearerToken != nil:
		token, err := m.BearerToken.Read(ctx, m.namespace, m.from)
		return "Bearer " + token, err
	case m.BasicAuth == nil:
		return "", nil
	}
	password, err := m.BasicAuth.Password.Read(ctx, m.namespace, m.from)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(m.BasicAuth.Username+":"+password)), err
}
