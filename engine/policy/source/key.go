package source

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// Key verifies signatures of policies, like OPA's --verification-key.
type Key struct {
	Text      string // PEM, or a secret
	Algorithm string // as RS256
	Scope     string // must equal the scope claim of the signature
}

// maxKeyBytes bounds a key file, in bytes.
const maxKeyBytes = 64 << 10

var (
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
	rsaAlgorithms    = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ecAlgorithms     = map[int]string{256: "ES256", 384: "ES384", 521: "ES512"} // by bits of the curve
)

// Algorithms returns the supported signature algorithms.
func Algorithms() []string {
	return slices.Concat(rsaAlgorithms, []string{"ES256", "ES384", "ES512"}, secretAlgorithms)
}

// ReadKey reads a key from a file: a public key or certificate in PEM, or else a
// shared secret. The default algorithm depends on the key: RS256, ES256 to ES512 by
// the curve, or HS256. A public key in another format is refused and not used as a
// secret, because anybody could sign with it.
func ReadKey(file, algorithm, scope string) (*Key, error) {
	raw, err := plainfile.Read(file, maxKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("read the key of the policies: %w", err)
	}
	fitting, err := algorithmsOf(raw)
	if err != nil {
		return nil, fmt.Errorf("read the key of the policies: %s: %w", file, err)
	}
	if algorithm == "" {
		algorithm = fitting[0]
	}
	if !slices.Contains(fitting, algorithm) {
		return nil, fmt.Errorf("read the key of the policies: %s: the key is not for %s; it is for %s", file, algorithm, strings.Join(fitting, ", "))
	}
	return &Key{Text: string(raw), Algorithm: algorithm, Scope: scope}, nil
}

// isOtherFormat reports whether a text is an asymmetric key in another format than
// PEM: OpenSSH, JWK or DER.
func isOtherFormat(raw []byte) bool {
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, "ssh-") || strings.HasPrefix(text, "ecdsa-sha2-") || strings.HasPrefix(text, "sk-") && strings.Contains(text, "@openssh.com ") {
		return true
	}
	var jwk map[string]any
	if json.Unmarshal(raw, &jwk) == nil && (jwk["kty"] != nil || jwk["keys"] != nil) {
		return true
	}
	der := raw
	if packed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		der = packed
	}
	for _, parse := range []func([]byte) error{
		func(b []byte) error { _, err := x509.ParsePKIXPublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParseCertificate(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParseECPrivateKey(b); return err },
	} {
		if parse(der) == nil {
			return true
		}
	}
	return false
}

// algorithmsOf returns the algorithms that a key can be used with, the default first.
func algorithmsOf(raw []byte) ([]string, error) {
	block, rest := pem.Decode(raw)
	if block == nil {
		switch text := strings.TrimSpace(string(raw)); {
		case text == "":
			return nil, errors.New("it is empty")
		case strings.Contains(text, "-----BEGIN"):
			return nil, errors.New("it is no whole PEM; copy the key anew")
		case isOtherFormat(raw):
			return nil, errors.New("it is a key in another form than PEM, which would be taken for a secret; write the public key as PEM, as `openssl pkey -pubin` does")
		}
		return secretAlgorithms, nil
	}
	if strings.Contains(string(rest), "-----BEGIN") {
		return nil, errors.New("it holds more than one key, and one alone would count; give the one that signs")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("it is a %s; give the public key alone, and keep the private one where policies are signed", strings.ToLower(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("it can't be read: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsaAlgorithms, nil
	case *ecdsa.PublicKey:
		if name := ecAlgorithms[k.Curve.Params().BitSize]; name != "" {
			return []string{name}, nil
		}
	}
	return nil, errors.New("it is a kind of key by which policies can't be signed; use RSA, or ECDSA on P-256, P-384 or P-521")
}
