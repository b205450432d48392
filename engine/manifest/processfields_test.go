package manifest

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const fromProcess = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a, namespace: ns}
spec:
  targets: {static: [{name: x}]}
  triggers: [{name: tick, every: 1s}]
  primitives: [webhook]
  guards: {urls: ["http://x/", "http://y/", "http://z/"]}
  params: {file: /not/a/secret, env: NAME, bearerToken: {file: as a policy likes}}
  sensors:
    - name: one
      http:
        url: http://x/
        basicAuth: {username: u, password: {file: /run/hunter2}}
        headers:
          X: {env: HUNTER2}
          Y: {secretKeyRef: {name: one, key: token}}
  credentials:
    - {url: "http://x/", bearerToken: {file: /run/hunter2}}
    - {url: "http://y/", basicAuth: {username: u, password: {env: HUNTER2}}}
    - {url: "http://z/", bearerToken: {secretKeyRef: {name: one, key: token}}}
`

// An object takes no secret from the process; the same text in a file may.
func TestObjectTakesNothingFromTheProcess(t *testing.T) {
	_, err := ReadBytes("a.yaml", []byte(fromProcess), sampleKinds())
	require.NoError(t, err)
	object, err := yaml.YAMLToJSON([]byte(fromProcess))
	require.NoError(t, err)
	agent, mistakes := ReadObject("ns/a", object, sampleKinds())
	require.Nil(t, agent)
	const says = ": is the process's own, which an Agent of a cluster may not use; put the secret into a Secret of the agent's namespace, and write secretKeyRef: {name: NAME, key: KEY}"
	var want []string
	for _, field := range []string{
		"spec.sensors[0].http.basicAuth.password.file", "spec.sensors[0].http.headers.X.env", "spec.credentials[0].bearerToken.file", "spec.credentials[1].basicAuth.password.env",
	} {
		want = append(want, field+says)
	}
	var got []string
	for _, m := range mistakes {
		got = append(got, m.Error())
	}
	require.ElementsMatch(t, want, got)
	require.NotContains(t, mistakes.Error(), "unter2")
	require.NotContains(t, mistakes.Error(), "UNTER2")
}

// Other mistakes do not hide the reference.
func TestObjectTakesNothingFromTheProcessWhateverElseIsWrong(t *testing.T) {
	var whole map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(fromProcess), &whole))
	whole["spec"].(map[string]any)["mode"] = "nonsense"
	object, err := json.Marshal(whole)
	require.NoError(t, err)
	_, mistakes := ReadObject("ns/a", object, sampleKinds())
	require.ErrorContains(t, mistakes, "spec.mode")
	require.ErrorContains(t, mistakes, "spec.credentials[0].bearerToken.file")
}

// Every source of a Secret is either the process's own, and marked so, or names a
// Kubernetes Secret.
func TestEverySourceOfASecretIsJudged(t *testing.T) {
	for _, f := range fieldsOf(reflect.TypeFor[Secret]()) {
		mark := reflect.TypeFor[Secret]().FieldByIndex(f.index).Tag.Get(processTag)
		if f.typ == reflect.TypeFor[*SecretKeyRef]() {
			require.Empty(t, mark)
			continue
		}
		require.Contains(t, processFixes, mark, f.name)
	}
}
