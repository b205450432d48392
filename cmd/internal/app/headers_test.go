package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The headers of a webhook are those of the innermost URL, with an Authorization or without
// one, and none elsewhere.
func TestHeadersOfCredentials(t *testing.T) {
	t.Setenv("HOOK_KEY", "k3y")
	agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: ns}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 1s}]
  primitives: [webhook]
  guards: {urls: ["http://hooks/"]}
  credentials:
    - {url: "http://hooks/", bearerToken: {env: HOOK_KEY}, headers: {X-Scope-OrgID: team-a}}
    - {url: "http://hooks/b/", headers: {x-scope-orgid: team-b, X-Key: {env: HOOK_KEY}, Authorization: {env: HOOK_KEY}}}
    - {url: "http://hooks/c/", headers: {X-Key: {env: HOOK_NONE}}}
    - {url: "http://hooks/d/", headers: {X-Key: {secretKeyRef: {name: s, key: k}}}}
    - {url: "http://hooks/e/f", headers: {X-Scope-OrgID: inner}}
    - {url: "http://hooks:80/e", headers: {X-Scope-OrgID: outer}}
`), Kinds())
	require.NoError(t, err)
	var c credentials
	c.set(agents)
	for address, want := range map[string]struct {
		authorization string
		plain, secret http.Header
	}{
		"http://hooks/a":   {"Bearer k3y", http.Header{"X-Scope-Orgid": {"team-a"}}, http.Header{}},
		"http://hooks/b/x": {"", http.Header{"X-Scope-Orgid": {"team-b"}}, http.Header{"X-Key": {"k3y"}, "Authorization": {"k3y"}}},
		"http://hooks/e/f": {"", http.Header{"X-Scope-Orgid": {"inner"}}, http.Header{}}, // though the other is longer
		"http://hooks/e/g": {"", http.Header{"X-Scope-Orgid": {"outer"}}, http.Header{}},
		"http://other/":    {"", nil, nil},
	} {
		authorization, err := c.authorization(t.Context(), "ns/caller", address)
		require.NoError(t, err)
		require.Equal(t, want.authorization, authorization)
		plain, secret, err := c.headers(t.Context(), "ns/caller", address)
		require.NoError(t, err)
		require.Equal(t, want.plain, plain, address)
		require.Equal(t, want.secret, secret, address)
	}
	_, _, err = c.headers(t.Context(), "ns/caller", "http://hooks/c/")
	require.EqualError(t, err, "credentials for http://hooks/c: headers.X-Key: environment variable HOOK_NONE is not set")
	_, _, err = c.headers(t.Context(), "ns/caller", "http://hooks/d/")
	require.ErrorContains(t, err, "headers.X-Key: secretKeyRef s/k: "+manifest.NoSecrets)
	_, _, err = c.headers(t.Context(), "ns/other", "http://hooks/a")
	require.NoError(t, err)
}

// What goes to an address with event.send, or as a notice, shows the headers that the
// agent has for it, as webhook does.
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
`, port), Kinds())
	require.NoError(t, err)
	var creds credentials
	creds.set(agents)
	c := newCourier(MailOptions{}, &creds, nil, nil)
	defer c.close()
	e := engine.Event{ID: "1", Source: "/agents/ns/caller", Type: "org.example.told", Time: time.Unix(0, 0)}
	_, err = c.Carry(t.Context(), engine.Destination{URL: endpoint.URL + "/a/bb/c", Agent: "ns/caller"}, []engine.Event{e})
	require.ErrorContains(t, err, "not with ***")
	require.Equal(t, "inner", got.Get("X-Team"))
	require.Equal(t, "k3y-of-hook", got.Get("X-Key"))
	require.Equal(t, "Bearer k3y-of-hook", got.Get("Authorization"))
	_, err = c.Carry(t.Context(), engine.Destination{URL: endpoint.URL + "/a/x", Agent: "ns/caller"}, []engine.Event{e})
	require.Error(t, err)
	require.Equal(t, "outer", got.Get("X-Team"))
	require.Empty(t, got.Get("Authorization"))
}

// A Secret in a header is a Secret: it may be read, its hosts are asked for, and an Agent
// of a cluster takes none from the process.
func TestSecretsInHeadersAreFound(t *testing.T) {
	agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: ns}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 1s}]
  primitives: [webhook]
  sensors:
    - {name: a, prometheus: {query: up, address: "http://mimir/prometheus", headers: {X-Scope-OrgID: team-a, X-Key: {secretKeyRef: {name: mimir, key: token}}}}}
    - {name: b, http: {url: "http://app/", headers: {X-Key: {env: KEY}}}}
  guards: {urls: ["http://hook/"]}
  credentials: [{url: "http://hook/", headers: {X-Key: {secretKeyRef: {name: hook, key: token}}}}]
`), Kinds())
	require.NoError(t, err)
	a := agents[0]
	require.Equal(t, []manifest.SecretUse{
		{Field: "spec.sensors[0].prometheus.headers.X-Key", Sensor: 0, Ref: manifest.SecretKeyRef{Name: "mimir", Key: "token"}, To: "http://mimir/prometheus"},
		{Field: "spec.credentials[0].headers.X-Key", Sensor: -1, Ref: manifest.SecretKeyRef{Name: "hook", Key: "token"}, To: "http://hook/"},
	}, a.SecretUses())
	doubts := HostDoubts(agents, hosts.List{})
	require.Len(t, doubts, 2)
	require.Contains(t, doubts[0], "a.yaml:9:132: spec.sensors[0].prometheus.headers.X-Key.secretKeyRef: the Secret ns/mimir goes to allowed hosts alone; have http://mimir in the annotation")
	inCluster := a.InCluster()
	require.Len(t, inCluster, 1)
	require.Equal(t, "spec.sensors[1].http.headers.X-Key.env", inCluster[0].Path)
	plan, err := rbac.For(agents, rbac.Options{Namespace: "system", Account: "scanflow"})
	require.NoError(t, err)
	require.Contains(t, string(plan.YAML()), "mimir")
	require.Contains(t, string(plan.YAML()), "hook")
}
