package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/server"
)

// selfSigned is a certificate for 127.0.0.1, and itself in PEM.
func selfSigned(t *testing.T, serial int64) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// A rotated authority of peers counts for the next request, and the one of before no more;
// what is no authority leaves the one that was there.
func TestTheAuthorityOfPeersIsReadAgain(t *testing.T) {
	first, firstPEM := selfSigned(t, 1)
	second, secondPEM := selfSigned(t, 2)
	peer := func(with tls.Certificate) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{with}}
		s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	old, renewed := peer(first), peer(second)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write := func(pem []byte) {
		require.NoError(t, os.WriteFile(ca+".new", pem, 0o600))
		require.NoError(t, os.Rename(ca+".new", ca))
	}
	write(firstPEM)
	config, err := server.PeerTLS(ca, "", "", hclog.NewNullLogger())
	require.NoError(t, err)
	transport := NewTransport(config)
	defer transport.CloseIdleConnections()
	ask := func(url string) error {
		resp, err := (&http.Client{Transport: transport}).Get(url)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		return err
	}
	require.NoError(t, ask(old))
	require.ErrorContains(t, ask(renewed), "certificate")
	write(secondPEM)
	require.ErrorContains(t, ask(old), "certificate", "not by a connection of before either")
	require.NoError(t, ask(renewed))
	write([]byte("no certificate"))
	require.NoError(t, ask(renewed))
	require.NoError(t, os.Remove(ca))
	require.NoError(t, ask(renewed))

	_, err = server.PeerTLS(ca, "", "", hclog.NewNullLogger())
	require.ErrorContains(t, err, "authorities of peers: open "+ca)
}

func TestATransportToPeersIsMadeOnceForEachConfig(t *testing.T) {
	var now atomic.Pointer[tls.Config]
	now.Store(&tls.Config{MinVersion: tls.VersionTLS12})
	p := NewTransport(now.Load)
	first := p.current()
	require.Same(t, first, p.current())
	now.Store(&tls.Config{MinVersion: tls.VersionTLS12})
	require.NotSame(t, first, p.current())
	require.NotNil(t, NewTransport(nil).current())
}
