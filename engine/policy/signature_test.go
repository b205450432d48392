package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// stockOPA runs stock OPA's command line in a folder.
func stockOPA(t *testing.T, dir string, args ...string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, args...)
	c.Dir, c.Env = dir, append(os.Environ(), actAsOPA+"=1")
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
}

// keyFiles writes a pair of keys as PEM, and says where.
func keyFiles(t *testing.T, private, public any) (privateFile, publicFile string) {
	t.Helper()
	dir := t.TempDir()
	privateFile, publicFile = filepath.Join(dir, "private.pem"), filepath.Join(dir, "public.pem")
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(privateFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	raw, err = x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(publicFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw}), 0o600))
	return privateFile, publicFile
}

func rsaFiles(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return keyFiles(t, key, &key.PublicKey)
}

func fileOf(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// judged reads policies with a key, and says why they are refused.
func judged(t *testing.T, from string, key *source.Key) error {
	t.Helper()
	src, err := source.Read(from)
	if err != nil {
		return err
	}
	src.Key = key
	_, err = Candidate(t.Context(), src, Options{})
	return err
}

// Policies signed by OPA's own command are accepted with the matching key, as a folder and as a
// bundle, and rejected without a key or with another.
func TestSignedPoliciesAreTakenWithTheirKey(t *testing.T) {
	rsaPrivate, rsaPublic := rsaFiles(t)
	_, otherPublic := rsaFiles(t)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	ecPrivate, ecPublic := keyFiles(t, ec, &ec.PublicKey)
	secret := fileOf(t, "a-long-secret")
	for name, c := range map[string]struct {
		private, alg, public, scope string
		wrong                       string // another key
	}{
		"RSA":                          {rsaPrivate, "RS256", rsaPublic, "", otherPublic},
		"RSA, another hash":            {rsaPrivate, "PS512", rsaPublic, "", otherPublic},
		"ECDSA":                        {ecPrivate, "ES384", ecPublic, "", rsaPublic},
		"a secret":                     {secret, "HS256", fileOf(t, "a-long-secret\n"), "", fileOf(t, "another")},
		"a scope":                      {secret, "HS512", secret, "site", fileOf(t, "another")},
		"the public key as the secret": {rsaPublic, "HS256", secret, "", rsaPublic},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			write(t, dir, with(basic(), "scanflow/limits/data.yaml", "most: 4", "README.md", "words"))
			sign := []string{"--signing-key", c.private, "--signing-alg", c.alg}
			if c.scope != "" {
				sign = append(sign, "--claims-file", fileOf(t, `{"scope": "`+c.scope+`"}`))
			}
			stockOPA(t, dir, append([]string{"sign", "--bundle", "."}, sign...)...)
			packed := filepath.Join(t.TempDir(), "b.tar.gz")
			stockOPA(t, dir, append([]string{"build", "--bundle", ".", "--output", packed}, sign...)...)

			alg := c.alg
			if name == "the public key as the secret" {
				alg = ""
			}
			key, err := source.ReadKey(c.public, alg, c.scope)
			require.NoError(t, err)
			wrong, err := source.ReadKey(c.wrong, "", c.scope)
			require.NoError(t, err)
			for _, from := range []string{dir, packed} {
				if name == "the public key as the secret" { // anyone who knows the public key could do that
					require.ErrorContains(t, judged(t, from, wrong), "the signature does not hold")
					continue
				}
				require.NoError(t, judged(t, from, key))
				require.ErrorContains(t, judged(t, from, nil), "is signed: verification key not provided; pass --policies-key FILE")
				require.ErrorContains(t, judged(t, from, wrong), ".signatures.json: the signature does not hold")
				require.NotContains(t, judged(t, from, wrong).Error(), "a-long-secret")
				if c.scope != "" {
					key.Scope = ""
					require.ErrorContains(t, judged(t, from, key), "scope mismatch")
					key.Scope = c.scope
				}
			}
		})
	}
}

// A signed folder or bundle of which anything was changed is refused.
func TestPoliciesThatWereTamperedWithAreRefused(t *testing.T) {
	private, public := rsaFiles(t)
	key, err := source.ReadKey(public, "", "")
	require.NoError(t, err)
	signed := t.TempDir()
	write(t, signed, with(basic(), "scanflow/limits/data.yaml", "most: 4", "README.md", "words"))
	stockOPA(t, signed, "sign", "--bundle", "--signing-key", private, ".")
	for name, c := range map[string]struct {
		change func(dir string)
		want   string
	}{
		"a byte of a rule":  {func(dir string) { replace(t, dir, "lib/load.rego", "ceil", "cell") }, "lib/load.rego"},
		"a blank in a rule": {func(dir string) { replace(t, dir, "lib/load.rego", "per)\n", "per) \n") }, "lib/load.rego: digest mismatch"},
		"a byte of data":    {func(dir string) { replace(t, dir, "scanflow/limits/data.yaml", "4", "5") }, "scanflow/limits/data.yaml: digest mismatch"},
		"the manifest":      {func(dir string) { replace(t, dir, ".manifest", `["scanflow"]`, `["scanflow", "limits"]`) }, ".manifest: digest mismatch"},
		"a file more": {func(dir string) {
			write(t, dir, map[string]string{"lib/more.rego": "package scanflow.lib.more\n\nx := 1\n"})
		}, "file lib/more.rego not included in bundle signature"},
		"data more":                {func(dir string) { write(t, dir, map[string]string{"scanflow/data.json": `{"x": 1}`}) }, "file scanflow/data.json not included"},
		"a file that moved":        {func(dir string) { require.NoError(t, os.Rename(dir+"/lib/load.rego", dir+"/load.rego")) }, "file load.rego not included"},
		"a file less":              {func(dir string) { require.NoError(t, os.Remove(dir+"/scanflow/limits/data.yaml")) }, "scanflow/limits/data.yaml"},
		"words beside":             {func(dir string) { replace(t, dir, "README.md", "words", "wordy") }, "README.md: digest mismatch"},
		"words that are gone":      {func(dir string) { require.NoError(t, os.Remove(dir+"/README.md")) }, "README.md"},
		"no signature":             {func(dir string) { require.NoError(t, os.Remove(dir+"/.signatures.json")) }, "is not signed, and --policies-key wants it to be; sign it"},
		"an empty signature":       {func(dir string) { write(t, dir, map[string]string{".signatures.json": `{"signatures": []}`}) }, "the signature does not hold"},
		"a signature that is none": {func(dir string) { write(t, dir, map[string]string{".signatures.json": `{`}) }, "the signature does not hold"},
		"a signature by nobody": {func(dir string) {
			write(t, dir, map[string]string{".signatures.json": `{"signatures": ["eyJhbGciOiJub25lIn0.eyJmaWxlcyI6W119."]}`})
		}, "the signature does not hold"},
		"a signature in a folder": {func(dir string) { require.NoError(t, os.Rename(dir+"/.signatures.json", dir+"/lib/.signatures.json")) }, "lib/.signatures.json: signatures in a sub-folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			require.NoError(t, os.CopyFS(dir, os.DirFS(signed)))
			replace(t, dir, ".manifest", `["scanflow"]`, `["scanflow"]`)
			c.change(dir)
			require.ErrorContains(t, judged(t, dir, key), c.want)
			require.ErrorContains(t, judged(t, tarOf(t, dir), key), firstWord(c.want))
		})
	}
}

// firstWord begins both our errors and OPA's about a bundle.
func firstWord(want string) string { return strings.Split(want, ":")[0] }

func replace(t *testing.T, dir, name, old, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(raw), old)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(raw), old, text, 1)), 0o644))
}

// tarOf packs a folder as it is.
func tarOf(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "b.tar.gz")
	out, err := exec.Command("tar", "-czf", name, "-C", dir, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return name
}

// OPA calls the files of a folder by the path that it was given; so may a signature.
func TestAFolderMayBeSignedFromOutside(t *testing.T) {
	private, public := rsaFiles(t)
	key, err := source.ReadKey(public, "", "")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "policies")
	write(t, dir, with(basic(), "scanflow/limits/data.yaml", "", ".manifest", ""))
	stockOPA(t, t.TempDir(), "sign", "--bundle", "--signing-key", private, "--output-file-path", dir, dir)
	require.NoError(t, judged(t, dir, key))
	replace(t, dir, "lib/load.rego", "ceil", "floor")
	require.ErrorContains(t, judged(t, dir, key), "digest mismatch")
}

func TestKeysThatCanNotBeAreRefused(t *testing.T) {
	private, public := rsaFiles(t)
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, ed := keyFiles(t, edPrivate, edPublic)
	for name, c := range map[string]struct{ file, alg, want string }{
		"two keys":                  {fileOf(t, textOf(t, public)+textOf(t, public)), "", "it holds more than one key, and one alone would count"},
		"a key of OpenSSH":          {fileOf(t, "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@host"), "", "it is a key in another form than PEM, which would be taken for a secret"},
		"a curve of OpenSSH":        {fileOf(t, "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= me@host"), "", "in another form than PEM"},
		"a JWK":                     {fileOf(t, `{"kty": "RSA", "n": "x", "e": "AQAB"}`), "", "in another form than PEM"},
		"a set of JWK":              {fileOf(t, `{"keys": []}`), "", "in another form than PEM"},
		"DER":                       {fileOf(t, string(derOf(t, public))), "", "in another form than PEM"},
		"DER of a private key":      {fileOf(t, string(derOf(t, private))), "", "in another form than PEM"},
		"the lines of a PEM alone":  {fileOf(t, base64.StdEncoding.EncodeToString(derOf(t, public))), "", "in another form than PEM"},
		"nothing there":             {filepath.Join(t.TempDir(), "none"), "", "no such file"},
		"nothing in it":             {fileOf(t, " \n"), "", "it is empty"},
		"a folder":                  {t.TempDir(), "", "read the key of the policies"},
		"the private key":           {private, "", "it is a private key; give the public key alone"},
		"half a key":                {fileOf(t, "-----BEGIN PUBLIC KEY-----\nMIIB"), "", "it is no whole PEM"},
		"a key of another kind":     {ed, "", "it is a kind of key by which policies can't be signed"},
		"a public key as a secret":  {public, "HS256", "the key is not for HS256; it is for RS256, "},
		"a public key of another":   {public, "ES256", "the key is not for ES256"},
		"a secret as a public key":  {fileOf(t, "secret"), "RS256", "the key is not for RS256; it is for HS256, HS384, HS512"},
		"a PEM that is none":        {fileOf(t, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "", "it can't be read"},
		"what is no key, but a PEM": {fileOf(t, "-----BEGIN X-----\nAAAA\n-----END X-----\n"), "", "it is a x; give the public key alone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := source.ReadKey(c.file, c.alg, "")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(raw)
}

func derOf(t *testing.T, file string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(textOf(t, file)))
	return block.Bytes
}

// A claim that looks as if it bounded a signature, and that nobody looks at, is refused.
func TestASignatureHasNoClaimThatBoundsNothing(t *testing.T) {
	for claims, want := range map[string]string{
		`{"exp": 1}`:                "the signature has exp, which nobody looks at; sign without it",
		`{"exp": 1, "nbf": 1}`:      "the signature has exp and nbf",
		`{"aud": "site"}`:           "the signature has aud",
		`{"iss": "site", "iat": 1}`: "",
		`{"keyid": "k"}`:            "",
	} {
		dir := t.TempDir()
		write(t, dir, basic())
		stockOPA(t, dir, "sign", "--bundle", "--signing-key", "a-long-secret", "--signing-alg", "HS256", "--claims-file", fileOf(t, claims), ".")
		if err := judged(t, dir, &source.Key{Text: "a-long-secret", Algorithm: "HS256"}); want == "" {
			require.NoError(t, err, claims)
		} else {
			require.ErrorContains(t, err, want, claims)
		}
	}
}

// A source that was taken is verified, and kept without its key.
func TestWhatWasTakenIsKeptWithoutItsKey(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, basic())
	stockOPA(t, dir, "sign", "--bundle", "--signing-key", "s3cret-key", "--signing-alg", "HS256", ".")
	src, err := source.ReadDir(dir)
	require.NoError(t, err)
	src.Key = &source.Key{Text: "s3cret-key", Algorithm: "HS256"}
	kept := source.Join(src, ships(t)).AsTaken()
	require.Equal(t, source.Join(src, ships(t)).ID(), kept.ID())
	require.Nil(t, kept.Parts[0].Key)
	require.NotNil(t, src.Key)
	_, err = Candidate(t.Context(), kept, Options{})
	require.NoError(t, err)
	require.NoError(t, NewJudge(JudgeOptions{}).Try(t.Context(), source.Join(src, ships(t)), Trial{}), "a child has the key")
	src.Key.Text = "another"
	require.ErrorContains(t, NewJudge(JudgeOptions{}).Try(t.Context(), source.Join(src, ships(t)), Trial{}), "the signature does not hold")
}

// A key that changed is held against what is live: it is refused, and runs on.
func TestAKeyIsReadAgain(t *testing.T) {
	dir, key := t.TempDir(), fileOf(t, "first-secret")
	write(t, dir, basic())
	sign := func(secret string) {
		stockOPA(t, dir, "sign", "--bundle", "--signing-key", secret, "--signing-alg", "HS256", ".")
	}
	sign("first-secret")
	s := NewStore(func() (source.Source, error) {
		src, err := source.ReadDir(dir)
		if err != nil {
			return source.Source{}, err
		}
		src.Key, err = source.ReadKey(key, "", "")
		return src, err
	}, StoreOptions{})
	require.NoError(t, s.Load(t.Context()))
	first := s.Live().ID()
	watched := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(watched); s.Watch(ctx, dir, key) }()
	defer func() { cancel(); <-watched }()

	require.NoError(t, os.WriteFile(key, []byte("second-secret"), 0o600))
	require.Eventually(t, func() bool { // a read between the truncation and the write finds it empty
		err := s.Status().Err
		return err != nil && strings.Contains(err.Error(), "the signature does not hold")
	}, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, first, s.Live().ID())
	sign("second-secret")
	require.Eventually(t, func() bool { return s.Status().Err == nil }, 30*time.Second, 5*time.Millisecond)
}

// A signed folder is taken as a ConfigMap that is mounted, and refused where a key of that
// was changed.
func TestASignedConfigMapIsTaken(t *testing.T) {
	private, public := rsaFiles(t)
	flat := map[string]string{"load.rego": lib, "autoscale.rego": autoscale, "data.yaml": "scanflow: {most: 3}"}
	signed := t.TempDir()
	write(t, signed, flat)
	stockOPA(t, signed, "sign", "--bundle", "--signing-key", private, ".")
	flat[".signatures.json"] = textOf(t, filepath.Join(signed, ".signatures.json"))
	key, err := source.ReadKey(public, "", "")
	require.NoError(t, err)
	dir := t.TempDir()
	mountConfigMap(t, dir, "..2026_01", flat)
	require.NoError(t, judged(t, dir, key))
	require.ErrorContains(t, judged(t, dir, nil), "verification key not provided")
	flat["data.yaml"] = "scanflow: {most: 300}"
	dir = t.TempDir()
	mountConfigMap(t, dir, "..2026_02", flat)
	require.ErrorContains(t, judged(t, dir, key), "the signature does not hold: data.yaml: digest mismatch")
}

// Data is signed by what it says, and hidden files that nothing reads are not looked at.
func TestWhatASignatureLeavesOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, with(basic(), "scanflow/limits/data.json", `{"most": 4}`, "scanflow/more/data.yaml", "a: {b: 1}"))
	stockOPA(t, dir, "sign", "--bundle", "--signing-key", "a-long-secret", "--signing-alg", "HS256", ".")
	key := &source.Key{Text: "a-long-secret", Algorithm: "HS256"}
	for name, c := range map[string]struct{ file, text, want string }{
		"white space in JSON": {"scanflow/limits/data.json", "{\n  \"most\":  4\n}\n", ""},
		"white space in YAML": {"scanflow/more/data.yaml", "a:\n  b: 1\n", ""},
		"another number":      {"scanflow/limits/data.json", `{"most": 5}`, "digest mismatch"},
		"a hidden file":       {".lib.rego.swp", "x", ""},
		"a hidden policy":     {".x.rego", "package x", ".x.rego: is not read"},
		"a file that is not":  {"README.md", "x", "file README.md not included in bundle signature"},
		"white space in Rego": {"lib/load.rego", lib + "\n", "digest mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, filepath.FromSlash(c.file))
			was, err := os.ReadFile(file)
			write(t, dir, map[string]string{c.file: c.text})
			said := judged(t, dir, key)
			if err == nil {
				require.NoError(t, os.WriteFile(file, was, 0o600))
			} else {
				require.NoError(t, os.Remove(file))
			}
			if c.want == "" {
				require.NoError(t, said)
				return
			}
			require.ErrorContains(t, said, c.want)
		})
	}
}
