package policy

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

// RemoteOptions say where a bundle is, and how it is asked for. The zero value of each
// takes its default.
type RemoteOptions struct {
	// URL is of http or https, without a user in it.
	URL string
	// TokenFile holds a bearer token, read at each request; "" sends none. It is sent
	// to the URL's own scheme, host and port, and to no other.
	TokenFile string
	// Every is the time between two requests, give or take a tenth; 30 s.
	Every time.Duration
	// Timeout bounds a request with its whole answer; 30 s.
	Timeout time.Duration
	// Patience is how long the first bundle is waited for, while its server is away or
	// failing; a minute.
	Patience time.Duration
	Clock    engine.Clock
	Log      hclog.Logger
	// Seed is of the tenth.
	Seed uint64
}

// The defaults of RemoteOptions.
const (
	DefaultEvery    = 30 * time.Second
	DefaultTimeout  = 30 * time.Second
	DefaultPatience = time.Minute
)

// retryEvery is the time between two requests for the first bundle.
const retryEvery = time.Second

// Remote is a bundle behind a URL. Fetch asks for it; Read is what came of that. So
// whoever judges the policies anew never waits for a network.
type Remote struct {
	opts RemoteOptions
	url  *url.URL
	http *http.Client

	fetching sync.Mutex // one request at a time; guards rand
	rand     *rand.Rand

	mu   sync.Mutex
	last result // what Read returns
	kept result // what the bundle of etag gave, good or bad
	etag string
}

type result struct {
	src Source
	err error
}

// IsURL tells whether policies are behind a URL, and not in a folder or a file.
func IsURL(name string) bool {
	scheme, _, found := strings.Cut(strings.ToLower(name), "://")
	return found && (scheme == "http" || scheme == "https")
}

// NewRemote makes a bundle behind a URL, and asks for nothing yet. The error says what
// is wrong with the options.
func NewRemote(o RemoteOptions) (*Remote, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the policies' URL must begin with http:// or https:// and name a host") // the parser's error would repeat it
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

// Origin is the URL as it may be shown: a query may be a secret.
func (r *Remote) Origin() string { return r.url.Scheme + "://" + r.url.Host + r.url.EscapedPath() }

// Read is a Reader: what came of the last Fetch.
func (r *Remote) Read() (Source, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.src, r.last.err
}

// Wait fetches the first bundle. While the server is away or failing it tries again,
// for as long as there is patience; what would not pass (another 4xx, a certificate, a
// bundle that is none) is returned at once.
func (r *Remote) Wait(ctx context.Context) error {
	until := r.opts.Clock.Now().Add(r.opts.Patience)
	said := ""
	for {
		err := r.Fetch(ctx)
		if err == nil || !engine.MayPass(err) || !r.opts.Clock.Now().Before(until) || ctx.Err() != nil {
			return err
		}
		if said != err.Error() {
			said = err.Error()
			r.opts.Log.Warn("there are no policies yet; trying again", "for", r.opts.Patience.String(), "error", err)
		}
		engine.Sleep(ctx, r.opts.Clock, retryEvery)
	}
}

// Fetch asks for the bundle, unless it is what it was. Its error is what Read returns
// from then on, and may pass (engine.MayPass) where the server is away or failing.
func (r *Remote) Fetch(ctx context.Context) error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	asking, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	packed, etag, err := r.get(asking, r.etag)
	if ctx.Err() != nil {
		return ctx.Err() // the caller's own end says nothing of the bundle
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.last = result{err: fmt.Errorf("fetch %s: %w", r.Origin(), err)}
	case packed == nil:
		r.last = r.kept
	default:
		src, err := openBundle(r.Origin(), packed)
		r.last = result{src, err}
		r.kept, r.etag = r.last, etag
	}
	return r.last.err
}

// pause is the time until the next request: many daemons do not ask all at once.
func (r *Remote) pause() time.Duration {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	tenth := r.opts.Every / 10
	return r.opts.Every - tenth + time.Duration(r.rand.Int64N(int64(2*tenth)+1))
}

// token reads the token, so that a rotated one is sent.
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
