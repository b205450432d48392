package agentspec

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const withSecrets = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: ns}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 100ms}]
  sensors: [{name: load, http: {url: "http://127.0.0.1:1/load", pointer: /load, bearerToken: {secretKeyRef: {name: app, key: token}}}}]
  strategies: [t.call]
  primitives: [webhook]
  params: {url: "http://127.0.0.1:1/call"}
  credentials: [{url: "http://127.0.0.1:1", basicAuth: {username: bot, password: {secretKeyRef: {name: hook, key: password}}}}]
`

// Without Kubernetes, each reference to a Secret is a mistake with its place, reported
// before anything runs. A preview does nothing, and needs no credentials for acts.
func TestSecretsWithoutKubernetes(t *testing.T) {
	agents, err := manifest.ReadBytes("agent.yaml", []byte(withSecrets), Kinds())
	require.NoError(t, err)
	_, err = Build(agents, Env{Log: hclog.NewNullLogger()})
	require.EqualError(t, err, `agent.yaml:7:109: spec.sensors[0].http.bearerToken.secretKeyRef: there is no Kubernetes here to read a Secret from; use env or file, or run with --kubernetes
agent.yaml:11:97: spec.credentials[0].basicAuth.password.secretKeyRef: there is no Kubernetes here to read a Secret from; use env or file, or run with --kubernetes`)
	_, err = Build(agents, Env{Preview: true, Log: hclog.NewNullLogger()})
	require.ErrorContains(t, err, "spec.sensors[0].http.bearerToken")
	require.NotContains(t, err.Error(), "credentials")
}
