package credentials

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// A request has the headers of the innermost URL that covers it, with an Authorization or
// without one, and none if no URL covers it.
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
`), agentspec.Kinds())
	require.NoError(t, err)
	c := NewStore(nil)
	c.Set(agents)
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
		authorization, err := c.Authorization(t.Context(), "ns/caller", address)
		require.NoError(t, err)
		require.Equal(t, want.authorization, authorization)
		plain, secret, err := c.Headers(t.Context(), "ns/caller", address)
		require.NoError(t, err)
		require.Equal(t, want.plain, plain, address)
		require.Equal(t, want.secret, secret, address)
	}
	_, _, err = c.Headers(t.Context(), "ns/caller", "http://hooks/c/")
	require.EqualError(t, err, "credentials for http://hooks/c: headers.X-Key: environment variable HOOK_NONE is not set")
	_, _, err = c.Headers(t.Context(), "ns/caller", "http://hooks/d/")
	require.ErrorContains(t, err, "headers.X-Key: secretKeyRef s/k: "+manifest.NoSecrets)
	_, _, err = c.Headers(t.Context(), "ns/other", "http://hooks/a")
	require.NoError(t, err)
}

// A Secret in a header is handled as any Secret: rbac allows to read it, check wants its
// host allowed, and an Agent of a cluster uses no file or variable of the process there.
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
`), agentspec.Kinds())
	require.NoError(t, err)
	a := agents[0]
	require.Equal(t, []manifest.SecretUse{
		{Field: "spec.sensors[0].prometheus.headers.X-Key", Sensor: 0, Ref: manifest.SecretKeyRef{Name: "mimir", Key: "token"}, To: "http://mimir/prometheus"},
		{Field: "spec.credentials[0].headers.X-Key", Sensor: -1, Ref: manifest.SecretKeyRef{Name: "hook", Key: "token"}, To: "http://hook/"},
	}, a.SecretUses())
	doubts := HostWarnings(agents, hosts.List{}).Lines()
	require.Len(t, doubts, 2)
	require.Contains(t, doubts[0], "a.yaml:9:132: spec.sensors[0].prometheus.headers.X-Key.secretKeyRef: the Secret ns/mimir goes to allowed hosts alone; have http://mimir in the annotation")
	inCluster := a.MistakesInCluster()
	require.Len(t, inCluster, 1)
	require.Equal(t, "spec.sensors[1].http.headers.X-Key.env", inCluster[0].Path)
	plan, err := rbac.NewPlan(agents, rbac.Options{Namespace: "system", Account: "scanflow"})
	require.NoError(t, err)
	require.Contains(t, string(plan.YAML()), "mimir")
	require.Contains(t, string(plan.YAML()), "hook")
}
