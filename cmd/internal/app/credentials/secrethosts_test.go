package credentials

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Each kind of sensor with a secret returns the address that it sends it to, so that check
// and the condition can name the host that is not allowed. Each field that names a file or
// a variable of the process is marked, or is known to hold nothing that is sent.
func TestEveryFieldOfTheProcessIsJudged(t *testing.T) {
	public := map[string]bool{"caFile": true} // authorities to trust, of which nothing is sent
	var walk func(t *testing.T, at string, typ reflect.Type, depth int, secret *bool)
	walk = func(t *testing.T, at string, typ reflect.Type, depth int, secret *bool) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
			walk(t, at, typ.Elem(), depth, secret)
		case reflect.Struct:
			if depth > 12 {
				return
			}
			*secret = *secret || typ == reflect.TypeFor[manifest.Secret]()
			for i := range typ.NumField() {
				f := typ.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name == "-" || !f.IsExported() && !f.Anonymous {
					continue
				}
				lower := strings.ToLower(name + " " + f.Tag.Get("doc"))
				if f.Type.Kind() == reflect.String && !public[name] && (strings.Contains(lower, "file") || strings.Contains(lower, "environment variable")) {
					require.NotEmpty(t, f.Tag.Get("process"), "%s.%s: an Agent of a cluster would use what belongs to the process; mark the field", at, name)
				}
				walk(t, at+"."+name, f.Type, depth+1, secret)
			}
		}
	}
	var secrets []string
	for kind, config := range sensors.Configs() {
		has := false
		walk(t, kind, reflect.TypeOf(config()), 0, &has)
		_, says := config().(manifest.SecretSender)
		require.Equal(t, has, says, "%s: a configuration with a secret has SecretsTo, and no other", kind)
		if has {
			secrets = append(secrets, kind)
		}
	}
	require.ElementsMatch(t, []string{"prometheus", "scrape", "http", "mlflow", "drift"}, secrets)

	// In the spec itself, secrets are in its credentials; SecretUses has to know any other place.
	spec := reflect.TypeFor[manifest.Spec]()
	for i := range spec.NumField() {
		has := false
		walk(t, "spec", spec.Field(i).Type, 0, &has)
		require.Equal(t, spec.Field(i).Name == "Credentials", has, spec.Field(i).Name)
	}
}

// A refused address is attributed to the references of an agent that can produce it.
func TestWhichReferenceARefusedAddressIsOf(t *testing.T) {
	for _, row := range []struct {
		uses, address string
		is            bool
	}{
		{"http://{name}.{namespace}.svc:8080/metrics", "http://api.ml.svc:8080/metrics", true},
		{"http://{name}.{namespace}.svc:8080/metrics", "http://api.ml.svc:8081/metrics", false},
		{"http://{name}.{namespace}.svc:8080/metrics", "https://api.ml.svc:8080/metrics", false},
		{"http://{label:host}/x", "http://anything.example.com/x", true},
		{"", "http://10.244.0.7:8080/metrics", true},
		{"", "http://api.example.com/", false},
	} {
		to, err := url.Parse(row.address)
		require.NoError(t, err)
		require.Equal(t, row.is, mayBeFor(manifest.SecretUse{To: row.uses}, to), "%s %s", row.uses, row.address)
	}
}

// check lists the hosts that are not allowed, as far as the manifests name them.
func TestHostWarnings(t *testing.T) {
	agents, err := manifest.ReadBytes("agent.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: caller, namespace: ns}
spec:
  targets: {static: [{name: api}]}
  triggers: [{name: tick, every: 1s}]
  sensors:
    - {name: a, http: {url: "http://API.example.com:80/load", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: b, http: {url: "http://{name}.svc/load", bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: c, scrape: {port: http, metric: up, bearerToken: {secretKeyRef: {name: app, key: token}}}}
    - {name: d, prometheus: {query: up, bearerToken: {secretKeyRef: {name: app, key: token}}}}
  primitives: [webhook]
  guards: {urls: ["https://allowed.example.com/", "http://x/"]}
  credentials: [{url: "https://allowed.example.com/x/", bearerToken: {secretKeyRef: {name: hook, key: token}}}, {url: "http://x", bearerToken: {env: X}}]
`), agentspec.Kinds())
	require.NoError(t, err)
	allowed, err := hosts.Parse("allowed.example.com")
	require.NoError(t, err)
	const rest = " in the annotation scanflow.dev/hosts of the Secret, or in --secret-hosts of the process"
	require.Equal(t, []string{
		"agent.yaml:8:91: spec.sensors[0].http.bearerToken.secretKeyRef: the Secret ns/app goes to allowed hosts alone; have http://api.example.com" + rest,
		"agent.yaml:9:83: spec.sensors[1].http.bearerToken.secretKeyRef: the Secret ns/app goes to allowed hosts alone; have each host of http://{name}.svc/load" + rest,
		"agent.yaml:10:78: spec.sensors[2].scrape.bearerToken.secretKeyRef: the Secret ns/app goes to allowed hosts alone; have the addresses of the pods, as a network like http://10.244.0.0/16:8080," + rest,
		"agent.yaml:11:69: spec.sensors[3].prometheus.bearerToken.secretKeyRef: the Secret ns/app goes to allowed hosts alone; have the server of --prometheus or --mlflow" + rest,
	}, HostWarnings(agents, allowed).Lines())
}
