package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// RemoteOptions configure how a bundle is fetched. Zero values mean the defaults.
type RemoteOptions struct {
	// URL is an http or https URL without user information.
	URL string
	// TokenFile holds a bearer token, which is read for each request; "" sends none.
	// The token is only sent to the scheme, host and port of the URL.
	TokenFile string
	// Every is the interval between two requests, with a jitter of a tenth.
	Every time.Duration
	// Timeout bounds a request with its whole response.
	Timeout time.Duration
	// Patience bounds how long Wait retries while the server is unreachable or failing.
	Patience time.Duration
	Clock    engine.Clock
	Log      hclog.Logger
	// Seed is the seed of the jitter.
	Seed uint64
}

// The defaults of RemoteOptions.
const (
	DefaultEvery    = 30 * time.Second
	DefaultTimeout  = 30 * time.Second
	DefaultPatience = time.Minute
)

// retryInterval is the interval between two requests for the first bundle.
const retryInterval = time.Second

// Remote is a bundle behind a URL. Fetch downloads it, and Read returns the result of
// the last download without waiting for the network.
type Remote struct {
	opts RemoteOptions
	url  *url.URL
	http *http.Client

	fetchMu sync.Mutex // serializes requests; guards rand
	rand    *rand.Rand

	mu   sync.Mutex
	last result // what Read returns
	kept result // the result for the bundle with this etag
	etag string
}

type result struct {
	src Source
	err error
}

// IsURL reports whether a source of policies is a URL, and not a folder or a file.
func IsURL(name string) bool {
	scheme, _, found := strings.Cut(strings.ToLower(name), "://")
	return found && (scheme == "http" || scheme == "https")
}

// NewRemote validates the options and returns a Remote. It sends no request.
func NewRemote(o RemoteOptions) (*Remote, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the policies' URL must begin with http:// or https:// and name a host") // the parser's error contains the URL
	case u.User != nil:
		return nil, errors.New("the policies' URL holds a user; put a bearer token into a file instead")
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	for _, d := range []struct {
		is   *time.Duration
		what time.Duration
	}{{&o.Every, DefaultEvery}, {&o.Timeout, DefaultTimeout}, {&o.Patience, DefaultPatience}} {
		if *d.is <= 0 {
			*d.is = d.what
		}
	}
	r := &Remote{opts: o, url: u, http: newBundleClient(u), rand: rand.New(rand.NewPCG(o.Seed, 0))}
	r.last.err = fmt.Errorf("fetch %s: it was not asked for yet", r.Origin())
	return r, nil
}

// Origin returns the URL without its query, which may be a secret.
func (r *Remote) Origin() string { return r.url.Scheme + "://" + r.url.Host + r.url.EscapedPath() }

// Read is a Reader. It returns the result of the last Fetch.
func (r *Remote) Read() (Source, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.src, r.last.err
}

// Wait fetches the first bundle. While the server is unreachable or failing, it
// retries for up to Patience. Permanent errors (other 4xx, certificates, an invalid
// bundle) are returned at once.
func (r *Remote) Wait(ctx context.Context) error {
	until := r.opts.Clock.Now().Add(r.opts.Patience)
	logged := ""
	for {
		err := r.Fetch(ctx)
		if err == nil || !engine.IsRetryable(err) || !r.opts.Clock.Now().Before(until) || ctx.Err() != nil {
			return err
		}
		if logged != err.Error() {
			logged = err.Error()
			r.opts.Log.Warn("there are no policies yet; trying again", "for", r.opts.Patience.String(), "error", err)
		}
		engine.Sleep(ctx, r.opts.Clock, retryInterval)
	}
}

// Fetch downloads the bundle if it has changed. Read returns the same error until the
// next Fetch. The error can be retried (engine.IsRetryable) if the server is unreachable
// or failing.
func (r *Remote) Fetch(ctx context.Context) error {
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	reqCtx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	packed, etag, err := r.get(reqCtx, r.etag)
	if ctx.Err() != nil {
		return ctx.Err() // the caller has cancelled; the last result stays
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.last = result{err: fmt.Errorf("fetch %s: %w", r.Origin(), err)}
	case packed == nil:
		r.last = r.kept
	default:
		src, err := Unpack(r.Origin(), packed)
		r.last = result{src, err}
		r.kept, r.etag = r.last, etag
	}
	return r.last.err
}

// NextInterval returns the time until the next request, with jitter.
func (r *Remote) NextInterval() time.Duration {
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	tenth := r.opts.Every / 10
	return r.opts.Every - tenth + time.Duration(r.rand.Int64N(int64(2*tenth)+1))
}

// token reads the token file, which may have been rotated.
func (r *Remote) token() (string, error) {
	if r.opts.TokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(r.opts.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return "", fmt.Errorf("the token file %s is empty", r.opts.TokenFile)
	}
	return token, nil
}
