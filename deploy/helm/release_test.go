package helm_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

const passValues = `
watchNamespace: %[1]s
tls: {secretName: certificate, clientCA: {secretName: authorities}}
token: {secretName: words, key: api}
senders:
  list:
    - {name: outside, bearerToken: {secretName: words, key: outside}}
    - {name: edge, clientCertificate: {dnsName: edge.example.org}}
peers: {urls: [%[2]q], token: {secretName: words, key: peers}, ca: {secretName: authorities}}
mlflow: {url: "http://127.0.0.1:1"}
rbac:
  roles:
    - namespace: %[1]s
      rules:
        - {apiGroups: [""], resources: [events], verbs: [create]}
        - {apiGroups: [scanflow.dev], resources: [agents], verbs: [list, watch]}
        - {apiGroups: [scanflow.dev], resources: [agents/status], verbs: [patch]}
policies:
  files:
    pass.rego: |
      package scanflow.strategies.t.pass

      propose contains {"primitive": "event.send", "with": {"type": "t.out"}, "reason": "asked", "because": []} if {
        input.trigger.event.type == "t.in"
      }
agents:
  selector: part=here
  list:
    - name: taker
      namespace: %[1]s
      labels: {part: here}
      spec: &spec
        targets: {static: [{name: x}]}
        triggers: [{name: asked, event: {type: t.in, from: [outside]}}]
        strategies: [t.pass]
        primitives: [event.send]
    - {name: other, namespace: %[1]s, labels: {part: there}, spec: *spec}
`

// A release as the chart makes it, with the files that a kubelet would mount and the
// rights that its account has: it takes an event over TLS from a sender that it knows,
// and its agent's own event goes to the peer, with the token and the certificate. It
// runs the agents that it selects, and no other.
func TestAReleaseTakesEventsAndSendsThem(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	namespace := c.Namespace(t)
	peer := newPeer(t)
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, passValues, namespace, peer.URL), 0o600))
	c.Apply(t, peer.secrets(t, namespace))
	text := render(t, namespace, "-f", file)
	c.Apply(t, text)
	pod := podOf(t, objects(t, text))
	r := startRelease(t, c, namespace, pod)

	send := func(token string) int {
		body := `{"specversion": "1.0", "id": "1", "source": "/test", "type": "t.in"}`
		status, _ := r.ask(t, http.MethodPost, "/v1/events", token, body)
		return status
	}
	require.Eventually(t, func() bool { return send("from-outside") == http.StatusAccepted }, 30*time.Second, 50*time.Millisecond, "it leads after a while")
	require.Equal(t, http.StatusUnauthorized, send("of-nobody"))
	require.Equal(t, http.StatusUnauthorized, send(""))
	select {
	case got := <-peer.got:
		require.Equal(t, "t.out", got.kind)
		require.Equal(t, "Bearer to-the-peers", got.authorization)
		require.True(t, got.certificate.Equal(peer.Certificate()))
	case <-time.After(30 * time.Second):
		require.Fail(t, "the peer got nothing", r.said(t))
	}

	status, body := r.ask(t, http.MethodGet, "/v1/agents", "of-the-api", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, namespace+"/taker")
	require.NotContains(t, body, namespace+"/other")
	out, err := exec.Command(r.program, "approvals", "--server", r.url, "--ca-file", r.dir+"/peer-ca/ca.crt", "--token-file", r.dir+"/token/api").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "nothing waits for a person")
	for _, word := range []string{"from-outside", "to-the-peers", "of-the-api"} {
		require.NotContains(t, r.said(t), word)
	}
}

// peer is another scanflow, as far as its address for events goes. Its certificate is
// the release's too, and its own authority.
type peer struct {
	*httptest.Server
	got chan received
}

type received struct {
	kind, authorization string
	certificate         *x509.Certificate
}

func newPeer(t *testing.T) *peer {
	p := &peer{got: make(chan received, 100)}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct{ Type string }
		if r.URL.Path != "/v1/events" || json.NewDecoder(r.Body).Decode(&event) != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		p.got <- received{event.Type, r.Header.Get("Authorization"), r.TLS.PeerCertificates[0]}
		w.WriteHeader(http.StatusAccepted)
	}))
	p.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *peer) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
}

func (p *peer) secrets(t *testing.T, namespace string) string {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(p.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	return fmt.Sprintf(`
{apiVersion: v1, kind: Secret, metadata: {name: certificate, namespace: %[1]s}, type: kubernetes.io/tls, stringData: {tls.crt: %[2]q, tls.key: %[3]q}}
---
{apiVersion: v1, kind: Secret, metadata: {name: authorities, namespace: %[1]s}, stringData: {ca.crt: %[2]q}}
---
{apiVersion: v1, kind: Secret, metadata: {name: words, namespace: %[1]s}, stringData: {api: of-the-api, outside: from-outside, peers: to-the-peers}}
`, namespace, p.certificate(), key)
}
