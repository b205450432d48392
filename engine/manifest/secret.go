package manifest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// Secret refers to a secret. The secret itself is never in a manifest.
type Secret struct {
	Env          string        `json:"env,omitempty" process:"secret" doc:"name of an environment variable; for agents given by -f"`
	File         string        `json:"file,omitempty" process:"secret" doc:"path of a file; white space around its content is cut; for agents given by -f"`
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty" doc:"a key of a Kubernetes Secret in the agent's namespace; for agents of a cluster"`
}

// SecretKeyRef names a key of a Kubernetes Secret.
type SecretKeyRef struct {
	Name string `json:"name" required:"true" doc:"name of the Secret"`
	Key  string `json:"key" required:"true" doc:"key in it"`
}

const secretFix = "a secret is never written in a manifest: write {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// The names that Kubernetes allows for a Secret and for a key in it.
var (
	secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	secretKey  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
)

// Check implements Checker. A missing name or key is reported by the decoder.
func (r *SecretKeyRef) Check() (mistakes mistake.Mistakes) {
	if r.Name != "" && !secretName.MatchString(r.Name) {
		mistakes.Add("name", "is not the name of a Secret", "use lower-case letters, digits, - and .")
	}
	if r.Key != "" && !secretKey.MatchString(r.Key) {
		mistakes.Add("key", "is not a key of a Secret", "use letters, digits, -, _ and .")
	}
	return mistakes
}

// Check implements Checker. No message prints a value, which may be the secret itself.
func (s Secret) Check() mistake.Mistakes {
	n := 0
	for _, set := range []bool{s.Env != "", s.File != "", s.SecretKeyRef != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return mistake.Mistakes{{Message: "wants exactly one of env, file, secretKeyRef"}}
	}
	if s.Env != "" && !variableName.MatchString(s.Env) {
		return mistake.Mistakes{{Path: "env", Message: "is not the name of an environment variable", Fix: "write a name like API_TOKEN, without $"}}
	}
	return nil
}

// SecretReader reads a key of a Kubernetes Secret, in a namespace, to be sent to an address.
// It returns an error if the secret may not be sent there. Errors name the Secret, the key
// and the host, never a value.
type SecretReader func(ctx context.Context, namespace string, ref SecretKeyRef, to *url.URL) (string, error)

// SecretSource is a SecretReader for one address.
type SecretSource func(ctx context.Context, namespace string, ref SecretKeyRef) (string, error)

// For is the SecretSource for an address, nil without Kubernetes.
func (r SecretReader) For(to *url.URL) SecretSource {
	if r == nil {
		return nil
	}
	return func(ctx context.Context, namespace string, ref SecretKeyRef) (string, error) {
		return r(ctx, namespace, ref, to)
	}
}

// maxSecret bounds the content of a secret's file, in bytes.
const maxSecret = 1 << 20

// Read returns the secret. from reads Kubernetes Secrets; nil without Kubernetes. The error
// names the reference, never the value.
func (s Secret) Read(ctx context.Context, namespace string, from SecretSource) (string, error) {
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok || v == "" {
			return "", fmt.Errorf("environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		raw, err := plainfile.Read(s.File, maxSecret)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		v := strings.TrimSpace(string(raw))
		if v == "" {
			return "", fmt.Errorf("read secret: %s is empty", s.File)
		}
		return v, nil
	case s.SecretKeyRef == nil:
		return "", fmt.Errorf("no source given for a secret")
	case from == nil:
		return "", fmt.Errorf("secretKeyRef %s/%s: %s; %s", s.SecretKeyRef.Name, s.SecretKeyRef.Key, NoSecrets, NoSecretsFix)
	}
	return from(ctx, namespace, *s.SecretKeyRef)
}

// NoSecrets is the mistake of a secretKeyRef without Kubernetes, and NoSecretsFix its fix.
const (
	NoSecrets    = "there is no Kubernetes here to read a Secret from"
	NoSecretsFix = "use env or file, or run with --kubernetes"
)
