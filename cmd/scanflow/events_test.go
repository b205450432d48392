package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/stretchr/testify/require"
)

// post sends a body to a daemon and returns the answer.
func (d *daemon) post(path, contentType, body string) (int, string) {
	d.t.Helper()
	return d.postAs("", path, contentType, body)
}

// postAs sends it with a bearer token, "" for none.
func (d *daemon) postAs(token, path, contentType, body string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode, string(raw)
}

// worker is an agent that does what events ask for, by calling the app.
func (s *site) worker(mode, trigger string) {
	s.write("policies/work.rego", strings.ReplaceAll(workPolicy, `input.trigger.event.type == "t.work"`, "input.trigger.event"))
	s.write("workers/worker.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: worker, namespace: test}
spec:
  mode: %s
  targets: {static: [{name: bench}]}
  triggers: [{name: asked, %s}]
  strategies: [t.work]
  primitives: [webhook]
  params: {url: %q}
`, mode, trigger, s.app.URL+"/done"))
}

func (s *site) workerArgs() []string {
	return []string{"-f", s.dir + "/workers", "--policies", s.policies, "--data", s.data}
}

// An alert that begins is acted on once, however often Alertmanager repeats it, and only
// if it comes from the Alertmanager that the trigger names.
func TestAnAlertFiresAnAgent(t *testing.T) {
	s := newSite(t)
	s.worker("enforce", "alert: {name: HighLatency, matchLabels: {severity: page}, from: [alertmanager]}")
	s.write("senders.yaml", "senders: [{name: alertmanager, bearerToken: {env: ALERTS_TOKEN}}, {name: grafana, bearerToken: {env: GRAFANA_TOKEN}}]\n")
	t.Setenv("ALERTS_TOKEN", "of-the-alertmanager")
	t.Setenv("GRAFANA_TOKEN", "of-grafana")
	d := startDaemon(t, append(s.workerArgs(), "--senders", s.dir+"/senders.yaml")...)
	alert := func(status, name, severity string) string {
		return fmt.Sprintf(`{"version": "4", "groupKey": "g", "status": %[1]q, "receiver": "scanflow", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
			"alerts": [{"status": %[1]q, "labels": {"alertname": %[2]q, "severity": %[3]q}, "annotations": {}, "startsAt": "2026-03-01T12:00:00Z", "endsAt": "2026-03-01T13:00:00Z", "generatorURL": "", "fingerprint": "f-%[2]s"}]}`, status, name, severity)
	}
	for token, want := range map[string]int{"of-nobody": http.StatusUnauthorized, "of-grafana": http.StatusForbidden, "": http.StatusForbidden} {
		code, body := d.postAs(token, "/v1/alerts", "application/json", alert("firing", "HighLatency", "page"))
		require.Equal(t, want, code, "%q: %s", token, body)
	}
	for range 3 {
		code, body := d.postAs("of-the-alertmanager", "/v1/alerts", "application/json", alert("firing", "HighLatency", "page"))
		require.Equal(t, http.StatusAccepted, code, body)
	}
	for _, other := range []string{alert("firing", "DiskFull", "page"), alert("firing", "HighLatency", "ticket"), alert("resolved", "HighLatency", "page")} {
		code, body := d.postAs("of-the-alertmanager", "/v1/alerts", "application/json", other)
		require.Equal(t, http.StatusAccepted, code, body)
	}
	d.metric(`outcome="done",primitive="webhook",strategy="t.work"} 1`)
	d.stop()
	out, _ := scanflow(t, "decisions", "--data", s.data, "--json")
	require.Equal(t, 1, strings.Count(out, "\n"), out)
	require.Contains(t, out, `"kind":"alert"`)
	require.Contains(t, out, `"sender":"alertmanager"`)
}

// An inbox that is full takes nothing more, and loses nothing that it took.
func TestAFullInboxPushesBack(t *testing.T) {
	s := newSite(t)
	s.worker("paused", "event: {type: t.work}")
	d := startDaemon(t, s.workerArgs()...)
	const batch, room = 100, 10_000
	send := func(from int) (int, string) {
		var events []map[string]any
		for i := range batch {
			events = append(events, map[string]any{"specversion": "1.0", "id": fmt.Sprint(from + i), "source": "/test", "type": "t.work"})
		}
		raw, err := json.Marshal(events)
		require.NoError(t, err)
		return d.post("/v1/events", "application/cloudevents-batch+json", string(raw))
	}
	for from := 0; from < room; from += batch {
		code, body := send(from)
		require.Equal(t, http.StatusAccepted, code, body)
	}
	code, body := send(room)
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	code, _ = send(0)
	require.Equal(t, http.StatusAccepted, code, "those that are there already need no room")
	d.kill()
	d = startDaemon(t, s.workerArgs()...)
	out, status := scanflow(t, "events", "--server", d.url, "--limit", "10000", "--json")
	require.Zero(t, status, out)
	var waiting []struct{ Box string }
	require.NoError(t, json.Unmarshal([]byte(out), &waiting))
	require.Len(t, waiting, room)
	d.metric(`scanflow_events{box="inbox"} 10000`)
	d.metric(`scanflow_approvals_waiting 0`)
	d.stop()
}

// event.send reaches any CloudEvents endpoint: here the SDK's own receiver, which is
// away at first.
func TestEventsReachACloudEventsEndpoint(t *testing.T) {
	got := make(chan cloudevents.Event, 10)
	protocol, err := cloudevents.NewHTTP()
	require.NoError(t, err)
	receiver, err := cloudevents.NewHTTPReceiveHandler(t.Context(), protocol, func(e cloudevents.Event) { got <- e })
	require.NoError(t, err)
	var mu sync.Mutex
	away, authorization := true, ""
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		authorization = r.Header.Get("Authorization")
		if away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		receiver.ServeHTTP(w, r)
	}))
	defer endpoint.Close()
	s := newSite(t)
	s.write("policies/tell.rego", `package scanflow.strategies.t.tell

propose contains p if {
	not input.memory["t.tell"].last["event.send"]
	p := {"primitive": "event.send", "with": {"type": "t.told", "url": input.params.url, "data": {"n": 1}}, "reason": "tell", "because": []}
}
`)
	s.write("tellers/teller.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: teller, namespace: test}
spec:
  targets: {static: [{name: bench}]}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.tell]
  primitives: [event.send]
  params: {url: %[1]q}
  credentials: [{url: %[1]q, bearerToken: {env: HOOK_TOKEN}}]
`, endpoint.URL+"/in"))
	d := startDaemon(t, "-f", s.dir+"/tellers", "--policies", s.policies, "--data", s.data)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return authorization != "" }, 20*time.Second, 5*time.Millisecond)
	d.kill() // the endpoint is still away, and the act is done: the outbox has it
	d = startDaemon(t, "-f", s.dir+"/tellers", "--policies", s.policies, "--data", s.data)
	mu.Lock()
	away = false
	mu.Unlock()
	select {
	case e := <-got:
		require.Equal(t, "t.told", e.Type())
		require.Equal(t, "/agents/test/teller", e.Source())
		require.Equal(t, "test/bench", e.Subject())
		require.JSONEq(t, `{"n": 1}`, string(e.Data()))
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing came")
	}
	require.Equal(t, "Bearer s3cret-token", authorization)
	d.stop()
	require.Empty(t, got, "once")
}

// Two scanflows that know each other by certificates.
func TestPeersKnowEachOtherByCertificates(t *testing.T) {
	l := newLine(t, 3, 1, 100*time.Millisecond)
	ca := newAuthority(t)
	l.write("ca.pem", ca.pem())
	for _, name := range []string{"west", "east"} {
		cert, key := ca.sign(t, name)
		l.write(name+".pem", cert)
		l.write(name+".key", key)
	}
	l.write("senders.yaml", "senders: [{name: west, peer: true, clientCertificate: {dnsName: west.test}}]\n")
	with := func(name string, more ...string) []string {
		return append([]string{"-f", l.dir + "/" + name, "--policies", l.policies, "--data", l.dir + "/" + name + "-data",
			"--tls-cert", l.dir + "/" + name + ".pem", "--tls-key", l.dir + "/" + name + ".key"}, more...)
	}
	east := startDaemon(t, with("east", "--listen", l.eastAt, "--senders", l.dir+"/senders.yaml", "--client-ca", l.dir+"/ca.pem")...)
	west := startDaemon(t, with("west", "--peer", "https://"+l.eastAt, "--peer-ca", l.dir+"/ca.pem")...)
	require.Eventually(t, func() bool { return len(l.done()) == 3 }, 20*time.Second, 5*time.Millisecond)
	out, code := scanflow(t, "events", "--server", strings.Replace(east.url, "http:", "https:", 1), "--ca-file", l.dir+"/ca.pem")
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "no events wait")
	west.stop()
	east.stop()
}

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return &authority{cert, key}
}

func (a *authority) pem() string { return asPEM("CERTIFICATE", a.cert.Raw) }

// sign makes a certificate for NAME.test at 127.0.0.1, with its key.
func (a *authority) sign(t *testing.T, name string) (cert, key string) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name + ".test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(own)
	require.NoError(t, err)
	return asPEM("CERTIFICATE", raw), asPEM("EC PRIVATE KEY", der)
}

func asPEM(kind string, raw []byte) string {
	var out bytes.Buffer
	_ = pem.Encode(&out, &pem.Block{Type: kind, Bytes: raw}) // a buffer takes everything
	return out.String()
}
