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

// access is how a sensor gets at its server.
type access struct {
	basic   *manifest.BasicAuth
	bearer  *manifest.Secret
	headers manifest.Headers
	tls     *TLS
	limit   int64 // bytes of a body, as decompressed
}

// check finds the two ways to authenticate used at once, and headers that can't be sent.
func (a access) check() (mistakes mistake.Mistakes) {
	if a.basic != nil && a.bearer != nil {
		mistakes.Add("", "basicAuth and bearerToken exclude each other", "keep one")
	}
	return append(mistakes, a.headers.Check(a.basic != nil || a.bearer != nil)...)
}

// key tells accesses apart that an address may answer in other ways. It has references to
// secrets, and no secret.
func (a access) key(address, namespace string) (string, error) {
	raw, err := json.Marshal([]any{address, namespace, a.basic, a.bearer, a.headers, a.tls})
	return string(raw), err
}

const (
	serverBodyLimit = 64 << 20 // a Prometheus that answers for ten thousand targets over a range
	appBodyLimit    = 8 << 20  // one application's page
	believed        = 4 << 20  // what is set aside for a body on the word of its Content-Length alone
)

// Errors of a client, besides those of the network.
var (
	// ErrTooLarge is an answer beyond the size that a sensor reads.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrRedirect is a redirect to another host, which is not followed.
	ErrRedirect = errors.New("redirected to another host")
)

// client sends requests with credentials, and reads answers up to a size.
type client struct {
	access
	http      *http.Client
	secrets   *secrets
	namespace string // the agent's, for Kubernetes Secrets
	from      manifest.SecretReader
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
	c := &client{access: a, secrets: &secrets{most: 8 * (1 + len(a.headers))}, namespace: env.Namespace, from: env.Secrets}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.follow}
	// Told now, a missing secret is a mistake in a file; told later, a failed sample.
	// A Kubernetes Secret may well be made after the agent that names it.
	if c.from == nil || !c.inCluster() {
		if err := c.authorize(&http.Request{Header: http.Header{}}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// inCluster reports whether a secret is a Kubernetes Secret's.
func (a access) inCluster() bool {
	for _, h := range a.headers {
		if h.SecretKeyRef != nil {
			return true
		}
	}
	return a.basic != nil && a.basic.Password.SecretKeyRef != nil || a.bearer != nil && a.bearer.SecretKeyRef != nil
}

// follow lets a redirect pass that stays on the host, and asks anew whether the secret
// may go where it leads: another scheme is another place.
func (c *client) follow(r *http.Request, via []*http.Request) error {
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

// authorize sets the headers of a request, those with secrets and those without.
func (c *client) authorize(r *http.Request) error {
	plain, secret, err := c.shown(r)
	if err != nil {
		return err
	}
	for _, headers := range []http.Header{plain, secret} {
		maps.Copy(r.Header, headers)
	}
	return nil
}

// shown reads the secrets each time, so that a rotated one takes effect. A Kubernetes
// Secret is read for the request's URL, and may be refused to it.
func (c *client) shown(r *http.Request) (plain, secret http.Header, err error) {
	from := c.from.For(r.URL)
	plain, secret, err = c.headers.Read(r.Context(), c.namespace, from)
	if err != nil {
		return nil, nil, err
	}
	for _, values := range secret {
		c.secrets.add(values...)
	}
	if c.basic != nil {
		password, err := c.basic.Password.Read(r.Context(), c.namespace, from)
		if err != nil {
			return nil, nil, fmt.Errorf("basicAuth.password: %w", err)
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.basic.Username+":"+password))
		secret.Set("Authorization", basic)
		c.secrets.add(basic)
	}
	if c.bearer != nil {
		token, err := c.bearer.Read(r.Context(), c.namespace, from)
		if err != nil {
			return nil, nil, fmt.Errorf("bearerToken: %w", err)
		}
		secret.Set("Authorization", "Bearer "+token)
		c.secrets.add("Bearer " + token)
	}
	return plain, secret, nil
}

// do sends a request and reads the whole answer. Its errors name the host and
// path, and no secret.
func (c *client) do(r *http.Request) (*http.Response, []byte, error) {
	if err := c.authorize(r); err != nil { // in our own words, which are not cut: the fix is at their end
		return nil, nil, &cleanError{text: place(r.URL) + ": " + err.Error(), cause: err}
	}
	resp, body, err := c.exchange(r)
	if err != nil {
		return nil, nil, c.secrets.clean(place(r.URL), explain(err))
	}
	return resp, body, nil
}

func (c *client) exchange(r *http.Request) (*http.Response, []byte, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	tooLarge := fmt.Errorf("%w: more than %d MiB", ErrTooLarge, c.limit>>20)
	if resp.ContentLength > c.limit {
		return nil, nil, tooLarge
	}
	if resp.ContentLength > 0 && resp.ContentLength <= believed {
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

// get is a GET that accepts a media type. A status other than 200 is an error: with it
// comes a part of the answer, one that a proxy has changed, or none.
func (c *client) get(ctx context.Context, address, accept string) (contentType string, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", nil, c.secrets.clean("", err)
	}
	r.Header.Set("Accept", accept)
	resp, body, err := c.do(r) //nolint:bodyclose // do reads it to the end and closes it
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, c.secrets.clean(place(r.URL), statusError(resp.StatusCode))
	}
	return resp.Header.Get("Content-Type"), body, nil
}

func statusError(code int) error {
	return errors.New(strings.TrimSpace(fmt.Sprintf("answered %d %s", code, http.StatusText(code))))
}

// fault is an error about what came from an address.
func (c *client) fault(address string, err error) error {
	address, _, _ = strings.Cut(address, "?")
	return c.secrets.clean(address, err)
}

// place is where a request went, without user and parameters.
func place(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// explain drops the request's URL from an error, and says a deadline in words.
func explain(err error) error {
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
