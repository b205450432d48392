package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var start = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

// inbox receives events and returns configured receipts.
type inbox struct {
	mu     sync.Mutex
	from   []engine.Sender
	events []engine.Event
	// verdict is by the event's type; accepted if absent.
	verdict map[string]engine.ReceiptVerdict
	err     error
}

func (b *inbox) take(_ context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	b.from = append(b.from, from)
	b.events = append(b.events, events...)
	var receipts []engine.Receipt
	for _, e := range events {
		r := engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.Accepted}
		if v, ok := b.verdict[e.Type]; ok {
			r.Verdict, r.Why = v, "as told"
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// serveOn starts a server with defaults for missing options.
func serveOn(t *testing.T, address string, o Options) *Server {
	t.Helper()
	l, err := Listen(t.Context(), address)
	require.NoError(t, err)
	if o.Registry == nil {
		o.Registry = NewMetrics(Sources{Version: "v1"}).Registry()
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	if o.Clock == nil {
		o.Clock = engine.NewManualClock(start)
	}
	s := Serve(l, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, s.Close(ctx))
	})
	return s
}

func sendersOf(t *testing.T, text string) *Senders {
	t.Helper()
	s, err := ReadSenders(write(t, filepath.Join(t.TempDir(), "senders.yaml"), text), tokenOf(t, "s3cret"), hclog.NewNullLogger())
	require.NoError(t, err)
	return s
}

// tokenOf writes a token to a file and reads it.
func tokenOf(t *testing.T, text string) *Token {
	t.Helper()
	token, err := ReadToken(write(t, filepath.Join(t.TempDir(), "token"), text), engine.NewManualClock(start), hclog.NewNullLogger())
	require.NoError(t, err)
	return token
}

// write replaces a file atomically, like an editor or a mount.
func write(t *testing.T, file, text string) string {
	t.Helper()
	fresh := file + ".new"
	require.NoError(t, os.WriteFile(fresh, []byte(text), 0o600))
	require.NoError(t, os.Rename(fresh, file))
	return file
}

// event is a CloudEvent in structured mode.
func event(id, kind string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/s","type":"` + kind + `"}`
}

const structured = "application/cloudevents+json"

// post sends a body with headers given as name, value, ...
func post(t *testing.T, client *http.Client, address, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return answerOf(t, client, r)
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.key, a.cert, a.pem = a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) sign(t *testing.T, c *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	c.SerialNumber, c.Subject = serial, pkix.Name{CommonName: serial.String()}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return key, made, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// server writes a certificate for 127.0.0.1 and its key to two files.
func (a *authority) server(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, _, cert := a.sign(t, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: loopbackAddresses(), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	raw, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	write(t, certFile, cert)
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})))
}

// client is a client certificate with names.
func (a *authority) client(t *testing.T, dnsNames, uris []string) tls.Certificate {
	t.Helper()
	c := &x509.Certificate{DNSNames: dnsNames, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, text := range uris {
		u, err := url.Parse(text)
		require.NoError(t, err)
		c.URIs = append(c.URIs, u)
	}
	key, made, _ := a.sign(t, c)
	return tls.Certificate{Certificate: [][]byte{made.Raw}, PrivateKey: key}
}

// trusting is a client that trusts the authority and presents certificates. It opens a connection
// for each request.
func (a *authority) trusting(t *testing.T, show ...tls.Certificate) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: show}}}
}
