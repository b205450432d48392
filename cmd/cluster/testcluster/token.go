package testcluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ShortToken returns a token of an existing service account that expires sooner than the
// API server permits. It is a JWT (RFC 7519, ES256) signed with the cluster's key.
func (c *Cluster) ShortToken(t testing.TB, namespace, account string, expires time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	o, err := c.client.Dynamic.Resource(serviceAccounts).Namespace(namespace).Get(ctx, account, getOptions)
	require.NoError(t, err)
	now := time.Now()
	const issuer = "https://kubernetes.default.svc"
	signed := encoded(t, map[string]any{"alg": "ES256", "typ": "JWT"}) + "." + encoded(t, map[string]any{
		"iss": issuer, "aud": []string{issuer}, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(expires).Unix(),
		"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account, "uid": string(o.GetUID())}},
	})
	raw, err := os.ReadFile(c.pki.accountKey)
	require.NoError(t, err)
	block, _ := pem.Decode(raw)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	require.NoError(t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(raw)
}
