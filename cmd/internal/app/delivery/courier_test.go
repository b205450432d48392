package delivery

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Events queued for a former peer are kept, and the peers' token is sent only to current peers.
func TestThePeerTokenIsShownToPeersOnly(t *testing.T) {
	shown := map[string][]string{}
	endpoint := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			shown[name] = append(shown[name], r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusAccepted)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	today, before := endpoint("today"), endpoint("before")
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("between-us\n"), 0o600))
	c := New(peers.Options{URLs: []string{today + "/"}, TokenFile: token}, credentials.NewStore(nil), http.DefaultTransport, http.DefaultTransport)
	defer c.Close()
	events := []engine.Event{{ID: "1", Source: "/agents/ns/a", Type: "t"}}

	_, err := c.Deliver(t.Context(), engine.Destination{URL: today + "/v1/events"}, events)
	require.NoError(t, err)
	_, err = c.Deliver(t.Context(), engine.Destination{URL: before + "/v1/events"}, events)
	require.ErrorContains(t, err, "is no --peer")
	require.True(t, engine.IsRetryable(err), "it may be one again")
	_, err = c.Deliver(t.Context(), engine.Destination{URL: before + "/v1/events", Agent: "ns/a"}, events)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"today": {"Bearer between-us"}, "before": {""}}, shown)
}

// Events sent to an address by event.send, or as a notice, have the agent's headers for it, as
// those of webhook do.
func TestAnEventShowsTheHeadersOfItsAgent(t *testing.T) {
	t.Setenv("HOOK_KEY", "k3y-of-hook")
	var got http.Header
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error": "not with %s"}`, r.Header.Get("X-Key"))
	}))
	defer endpoint.Close()
	port := strings.TrimPrefix(endpoint.URL, "http://127.0.0.1:")
	agents, err := manifest.ReadBytes("a.yaml", fmt.Appendf(nil, `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: ns}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 1s}]
  primitives: [event.send]
  credentials:
    - {url: "http://127.0.0.1:%[1]s/a/bb/", bearerToken: {env: HOOK_KEY}, headers: {X-Team: inner, X-Key: {env: HOOK_KEY}}}
    - {url: "http://127.0.0.1:%[1]s/a", headers: {X-Team: outer}}
`, port), agentspec.Kinds())
	require.NoError(t, err)
	creds := credentials.NewStore(nil)
	creds.Set(agents)
	c := New(peers.Options{}, creds, nil, nil)
	defer c.Close()
	e := engine.Event{ID: "1", Source: "/agents/ns/caller", Type: "org.example.told", Time: time.Unix(0, 0)}
	_, err = c.Deliver(t.Context(), engine.Destination{URL: endpoint.URL + "/a/bb/c", Agent: "ns/caller"}, []engine.Event{e})
	require.ErrorContains(t, err, "not with ***")
	require.Equal(t, "inner", got.Get("X-Team"))
	require.Equal(t, "k3y-of-hook", got.Get("X-Key"))
	require.Equal(t, "Bearer k3y-of-hook", got.Get("Authorization"))
	_, err = c.Deliver(t.Context(), engine.Destination{URL: endpoint.URL + "/a/x", Agent: "ns/caller"}, []engine.Event{e})
	require.Error(t, err)
	require.Equal(t, "outer", got.Get("X-Team"))
	require.Empty(t, got.Get("Authorization"))
}
