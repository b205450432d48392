package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// Every reference to a Secret is found, wherever a sensor keeps it, and at its place.
func TestSecretUses(t *testing.T) {
	agents, err := ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a}
spec:
  targets: {static: [{name: x}]}
  triggers: [{name: tick, every: 1s}]
  primitives: [webhook]
  guards: {urls: ["http://x/", "http://y/"]}
  sensors:
    - {name: none, prometheus: {query: up}}
    - name: both
      http:
        url: http://x/
        basicAuth: {username: u, password: {secretKeyRef: {name: one, key: password}}}
        headers:
          Y: {secretKeyRef: {name: three, key: k}}
          X: {secretKeyRef: {name: two, key: k}}
          Z: {env: Z}
  credentials:
    - {url: "http://x/", bearerToken: {file: token}}
    - {url: "http://y/", bearerToken: {secretKeyRef: {name: one, key: token}}}
`), sampleKinds())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]SecretUse{
		{"spec.sensors[1].http.basicAuth.password", 1, SecretKeyRef{"one", "password"}, "http://x/"},
		{"spec.sensors[1].http.headers.X", 1, SecretKeyRef{"two", "k"}, "http://x/"},
		{"spec.sensors[1].http.headers.Y", 1, SecretKeyRef{"three", "k"}, "http://x/"},
		{"spec.credentials[1].bearerToken", -1, SecretKeyRef{"one", "token"}, "http://y/"},
	}, agents[0].SecretUses()))
	m := agents[0].MistakeAt("spec.sensors[1].http.headers.X.secretKeyRef", "m", "")
	require.Equal(t, 17, m.Line)
}
