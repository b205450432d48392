package sensors

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// access configures how a sensor connects to its server.
type access struct {
	basic   *manifest.BasicAuth
	bearer  *manifest.Secret
	headers manifest.Headers
	tls     *TLS
	limit   int64 // of a response body, in bytes, decompressed
}

// check returns conflicting authentication methods and invalid headers.
func (a access) check() (mistakes mistake.Mistakes) {
	if a.basic != nil && a.bearer != nil {
		mistakes.Add("", "basicAuth and bearerToken exclude each other", "keep one")
	}
	return append(mistakes, a.headers.Check(a.basic != nil || a.bearer != nil)...)
}

// key identifies a server together with the access to it, because the server may respond
// differently to different clients. It contains references to secrets and no secret.
func (a access) key(address, namespace string) (string, error) {
	raw, err := json.Marshal([]any{address, namespace, a.basic, a.bearer, a.headers, a.tls})
	return string(raw), err
}

const (
	serverBodyLimit = 64 << 20 // a range query for ten thousand targets
	appBodyLimit    = 8 << 20  // one page of an application
	maxPreallocated = 4 << 20  // allocated for a body on the basis of its Content-Length
)

// Errors of a client, in addition to network errors.
var (
	// ErrTooLarge means that a response exceeds the size limit of the sensor.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrRedirect means that a server redirected to another host, which is not followed.
	ErrRedirect = errors.New("redirected to another host")
)

// client sends requests with credentials and reads responses up to a size limit.
type client struct {
	access
	http         *http.Client
	secrets      *sentSecrets
	namespace    string // the agent's, for Kubernetes Secrets
	secretReader manifest.SecretReader
}

func newClient(a access, env Env) (*client, error) {
	if mistakes := a.check(); mistakes != nil {
		return nil, mistakes[0]
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	transport.IdleConnTimeout = 30 * time.Second
	if a.tls != nil {
		cfg, err := a.tls.config()
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		transport.TLSClientConfig = cfg
	}
	c := &client{access: a, secrets: &sentSecrets{max: 8 * (1 + len(a.headers))}, namespace: env.Namespace, secretReader: env.Secrets}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	// A missing secret is reported now, as a mistake in the manifest, instead of as a failed
	// sample. A Kubernetes Secret may be created later than the agent that refers to it.
	if c.secretReader == nil || !c.usesSecretKeyRef() {
		if err := c.authorize(&http.Request{Header: http.Header{}}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// usesSecretKeyRef reports whether a secret comes from a Kubernetes Secret.
func (a access) usesSecretKeyRef() bool {
	for _, h := range a.headers {
		if h.SecretKeyRef != nil {
			return true
		}
	}
	return a.basic != nil && a.basic.Password.SecretKeyRef != nil || a.bearer != nil && a.bearer.SecretKeyRef != nil
}

// checkRedirect allows redirects within the host. It authorizes the request again, since the
// secret may not be sent to every address.
func (c *client) checkRedirect(r *http.Request, via []*http.Request) error {
	if err := sameHost(r, via); err != nil {
		return err
	}
	return c.authorize(r)
}

func sameHost(r *http.Request, via []*http.Request) error {
	from := via[0].URL
	if r.URL.Host != from.Host || (from.Scheme == "https" && r.URL.Scheme != "https") {
		return fmt.Errorf("%w: %s://%s", ErrRedirect, r.URL.Scheme, r.URL.Host)
	}
	if len(via) >= 5 {
		return errors.New("redirected more than 5 times")
	}
	return nil
}

// authorize sets the configured headers of a request.
func (c *client) authorize(r *http.Request) error {
	plain, secret, err := c.authHeaders(r)
	if err != nil {
		return err
	}
	for _, headers := range []http.Header{plain, secret} {
		maps.Copy(r.Header, headers)
	}
	return nil
}

// authHeaders reads the secrets each time, so that a rotated one takes effect. A Kubernetes
// Secret is read for the request's URL, and the reader may refuse it for that URL.
func (c *client) authHeaders(r *http.Request) (plain, secret http.Header, err error) {
	reader := c.secretReader.For(r.URL)
	plain, secret, err = c.headers.Read(r.Context(), c.namespace, reader)
	if err != nil {
		return nil, nil, err
	}
	for _, values := range secret {
		c.secrets.add(values...)
	}
	if c.basic != nil {
		password, err := c.basic.Password.Read(r.Context(), c.namespace, reader)
		if err != nil {
			return nil, nil, fmt.Errorf("basicAuth.password: %w", err)
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.basic.Username+":"+password))
		secret.Set("Authorization", basic)
		c.secrets.add(basic)
	}
	if c.bearer != nil {
		token, err := c.bearer.Read(r.Context(), c.namespace, reader)
		if err != nil {
			return nil, nil, fmt.Errorf("bearerToken: %w", err)
		}
		secret.Set("Authorization", "Bearer "+token)
		c.secrets.add("Bearer " + token)
	}
	return plain, secret, nil
}

// do sends a request and reads the whole response. Its errors name the host and the path, and
// contain no secret.
func (c *client) do(r *http.Request) (*http.Response, []byte, error) {
	if err := c.authorize(r); err != nil { // not truncated: the message ends with the fix
		return nil, nil, &redactedError{text: redactedURL(r.URL) + ": " + err.Error(), cause: err}
	}
	resp, body, err := c.exchange(r)
	if err != nil {
		return nil, nil, c.secrets.wrap(redactedURL(r.URL), describeNetError(err))
	}
	return resp, body, nil
}

func (c *client) exchange(r *http.Request) (*http.Response, []byte, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read-only
	tooLarge := fmt.Errorf("%w: more than %d MiB", ErrTooLarge, c.limit>>20)
	if resp.ContentLength > c.limit {
		return nil, nil, tooLarge
	}
	if resp.ContentLength > 0 && resp.ContentLength <= maxPreallocated {
		body := make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, body)
		return resp, body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.limit+1))
	if err == nil && int64(len(body)) > c.limit {
		err = tooLarge
	}
	return resp, body, err
}

// get sends a GET request that accepts a media type. A status other than 200 is an error: the
// response may be partial, changed by a proxy, or missing.
func (c *client) get(ctx context.Context, address, accept string) (contentType string, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", nil, c.secrets.wrap("", err)
	}
	r.Header.Set("Accept", accept)
	resp, body, err := c.do(r) //nolint:bodyclose // do reads and closes it
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, c.secrets.wrap(redactedURL(r.URL), statusError(resp.StatusCode))
	}
	return resp.Header.Get("Content-Type"), body, nil
}

func statusError(code int) error {
	return errors.New(strings.TrimSpace(fmt.Sprintf("answered %d %s", code, http.StatusText(code))))
}

// bodyError wraps an error about the body of a response from an address.
func (c *client) bodyError(address string, err error) error {
	address, _, _ = strings.Cut(address, "?")
	return c.secrets.wrap(address, err)
}

// redactedURL returns a URL without its user and parameters.
func redactedURL(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// describeNetError removes the request's URL from an error and describes a timeout.
func describeNetError(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no full answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer was cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}
