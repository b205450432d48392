package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// shelf serves one bundle, with its hash as ETag, to those who show the token.
type shelf struct {
	*httptest.Server
	mu     sync.Mutex
	packed []byte
	token  string
	answer http.HandlerFunc // instead, if set
	served map[int]int      // answers by status
	shown  []string         // Authorization of each request
}

func newShelf(t *testing.T, files map[string]string) *shelf {
	s := &shelf{served: map[int]int{}}
	s.put(bundleOf(t, files))
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	packed, token, answer := s.packed, s.token, s.answer
	s.shown = append(s.shown, r.Header.Get("Authorization"))
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	sum := sha256.Sum256(packed)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	code := http.StatusOK
	switch {
	case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
		code = http.StatusUnauthorized
	case r.Header.Get("If-None-Match") == etag:
		code = http.StatusNotModified
	}
	s.mu.Lock()
	s.served[code]++
	s.mu.Unlock()
	w.Header().Set("ETag", etag)
	w.WriteHeader(code)
	if code == http.StatusOK {
		_, _ = w.Write(packed)
	}
}

func (s *shelf) put(packed []byte)          { s.mu.Lock(); defer s.mu.Unlock(); s.packed = packed }
func (s *shelf) does(f http.HandlerFunc)    { s.mu.Lock(); defer s.mu.Unlock(); s.answer = f }
func (s *shelf) wants(token string)         { s.mu.Lock(); defer s.mu.Unlock(); s.token = token }
func (s *shelf) times(code int) int         { s.mu.Lock(); defer s.mu.Unlock(); return s.served[code] }
func (s *shelf) requests() (shown []string) { s.mu.Lock(); defer s.mu.Unlock(); return s.shown }

// bundleOf is a bundle as stock `opa build` makes it.
func bundleOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	dir, name := t.TempDir(), filepath.Join(t.TempDir(), "bundle.tar.gz")
	write(t, dir, files)
	buildBundle(t, dir, name)
	packed, err := os.ReadFile(name)
	require.NoError(t, err)
	return packed
}

func remote(t *testing.T, o source.RemoteOptions) *source.Remote {
	t.Helper()
	r, err := source.NewRemote(o)
	require.NoError(t, err)
	return r
}

// A bundle behind a URL goes through the gate of folders: only what is fit goes live,
// what did not change is not sent again, and what is wrong shows in the status.
func TestABundleBehindAURL(t *testing.T) {
	s := newShelf(t, basic())
	good := s.packed
	clock := &heldClock{now: noon, timers: map[chan time.Time]time.Time{}}
	r := remote(t, source.RemoteOptions{URL: s.URL + "/b.tar.gz?sig=hunter2", Clock: clock})
	var log bytes.Buffer
	store := NewStore(r.Read, StoreOptions{Clock: clock, Log: hclog.New(&hclog.LoggerOptions{Output: &locked{w: &log}})})
	require.ErrorContains(t, store.Load(t.Context()), "it was not asked for yet")
	require.NoError(t, r.Wait(t.Context()))
	require.NoError(t, store.Load(t.Context()))
	first := store.Pin()
	require.Len(t, first.Evaluate(t.Context(), []string{"serving.autoscale"}, document(70)).Proposals, 1)

	ctx, cancel := context.WithCancel(t.Context())
	var polling sync.WaitGroup
	polling.Go(func() { store.Poll(ctx, r) })
	defer func() { cancel(); polling.Wait() }()
	next := func() { // has one more request answered
		t.Helper()
		require.Eventually(t, func() bool { return clock.waiting() == 1 }, 10*time.Second, time.Millisecond)
		clock.forward(33 * time.Second)
		require.Eventually(t, func() bool { return clock.waiting() == 1 }, 10*time.Second, time.Millisecond)
	}
	refused := func(says string) {
		t.Helper()
		before := store.Status().Failures
		next()
		status := store.Status()
		require.ErrorContains(t, status.Err, says)
		require.NotContains(t, status.Err.Error(), "hunter2")
		require.Equal(t, before+1, status.Failures)
		next()
		require.Equal(t, before+1, store.Status().Failures, "the same is said once")
		require.Same(t, first, store.Pin())
	}

	next()
	next()
	require.Equal(t, 2, s.times(http.StatusNotModified))
	require.Equal(t, 1, s.times(http.StatusOK))
	require.Equal(t, 1, store.Status().Successes, "what did not change is not judged again")

	bad := bundleOf(t, with(basic(), "strategies/serving/autoscale_test.rego", strings.Replace(autoscaleTest, `"want": 1`, `"want": 2`, 1)))
	s.put(bad)
	refused(`test scanflow.strategies.serving.autoscale_test.test_grows fails for "two are needed"`)
	s.put(bad[:len(bad)/2])
	refused("unexpected EOF")
	s.put([]byte("<html>log in</html>"))
	refused("gzip: invalid header")
	for says, answer := range map[string]http.HandlerFunc{
		"answered 404 Not Found":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"answered 503 Service Unavailable": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"answered 206 Partial Content":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) },
		"the bundle is larger than 32 MiB": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "33554433") },
		"the answer was cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		},
		"redirected more than 5 times": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) },
		"fetch " + s.URL + "/b.tar.gz: EOF": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	} {
		s.does(answer)
		refused(says)
	}
	s.does(nil)

	// The revision is unchanged: nothing is sent again, and the status has no error.
	s.put(good)
	next()
	require.NoError(t, store.Status().Err)
	require.Same(t, first, store.Pin())
	sent := s.times(http.StatusOK)
	s.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	refused("answered 502")
	s.does(nil)
	next()
	require.NoError(t, store.Status().Err)
	require.Equal(t, sent, s.times(http.StatusOK))

	s.put(bundleOf(t, with(basic(), "another.rego", strings.Replace(another, "scanflow.strategies.another", "scanflow.strategies.serving.another", 1))))
	next()
	require.NoError(t, store.Status().Err)
	require.NotEqual(t, first.ID(), store.Pin().ID())
	require.True(t, store.Live().Has("serving.another"))
	require.NotContains(t, log.String(), "hunter2")
	require.Contains(t, log.String(), "policies refused, the old ones stay")
}

// A bundle that is too large is not read to its end, with or without a Content-Length.
func TestABundleThatIsTooLarge(t *testing.T) {
	s := newShelf(t, basic())
	s.does(func(w http.ResponseWriter, r *http.Request) {
		block := bytes.Repeat([]byte("x"), 1<<20)
		for range 1 << 20 { // a terabyte
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	err := remote(t, source.RemoteOptions{URL: s.URL}).Fetch(t.Context())
	require.ErrorIs(t, err, source.ErrTooLarge)
	require.False(t, engine.IsRetryable(err))
}

// The token is read anew for each request, and shown to the bundle's own server alone:
// not even to another port of its host.
func TestTheTokenOfABundle(t *testing.T) {
	s, store := newShelf(t, basic()), newShelf(t, basic())
	s.wants("hunter2")
	file := filepath.Join(t.TempDir(), "token")
	r := remote(t, source.RemoteOptions{URL: s.URL, TokenFile: file})
	require.ErrorIs(t, r.Wait(t.Context()), os.ErrNotExist, "at once")
	require.NoError(t, os.WriteFile(file, []byte("\n"), 0o600))
	require.ErrorContains(t, r.Wait(t.Context()), "is empty")
	require.NoError(t, os.WriteFile(file, []byte("hunter1\n"), 0o600))
	err := r.Wait(t.Context())
	require.ErrorContains(t, err, "answered 401 Unauthorized; put a bearer token that it takes into the token file")
	require.NotContains(t, err.Error(), "hunter1")
	require.NoError(t, os.WriteFile(file, []byte("hunter2\n"), 0o600))
	require.NoError(t, r.Wait(t.Context()))

	s.does(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/here" {
			http.Redirect(w, req, store.URL+"/there", http.StatusTemporaryRedirect)
			return
		}
		http.Redirect(w, req, "/here", http.StatusFound)
	})
	s.mu.Lock()
	s.shown = nil
	s.mu.Unlock()
	require.NoError(t, r.Fetch(t.Context()), "another host is gone to")
	require.Equal(t, []string{"Bearer hunter2", "Bearer hunter2"}, s.requests(), "its own server sees it at each step")
	require.Equal(t, []string{""}, store.requests())

	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, store.URL, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	r = remote(t, source.RemoteOptions{URL: secure.URL, TokenFile: file})
	err = r.Wait(t.Context())
	require.ErrorContains(t, err, "certificate", "whom nobody vouches for is not waited for")
	stock := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = stock })
	http.DefaultTransport = secure.Client().Transport // which a remote clones
	r = remote(t, source.RemoteOptions{URL: secure.URL, TokenFile: file})
	err = r.Wait(t.Context())
	require.ErrorContains(t, err, "redirected from https to http, which is not followed")
	require.Len(t, store.requests(), 1)
}

// The first bundle is waited for while its server is away, for as long as there is
// patience, and no longer than somebody else waits.
func TestAServerThatIsAwayAtTheStart(t *testing.T) {
	address := freeport.Reserve(t)
	clock := &heldClock{now: noon, timers: map[chan time.Time]time.Time{}}
	var log bytes.Buffer
	r := remote(t, source.RemoteOptions{URL: "http://" + address, Clock: clock, Log: hclog.New(&hclog.LoggerOptions{Output: &locked{w: &log}})})
	ended := make(chan error, 1)
	wait := func(ctx context.Context) { go func() { ended <- r.Wait(ctx) }() }
	tried := func() {
		t.Helper()
		require.Eventually(t, func() bool { return clock.waiting() == 1 }, 10*time.Second, time.Millisecond)
	}

	wait(t.Context())
	for range 60 {
		tried()
		clock.forward(time.Second)
	}
	err := <-ended
	require.EqualError(t, err, "fetch http://"+address+": dial: connect: connection refused")
	require.True(t, engine.IsRetryable(err))
	require.Equal(t, 1, strings.Count(log.String(), "there are no policies yet"), "said once")

	ctx, cancel := context.WithCancel(t.Context())
	wait(ctx)
	tried()
	cancel()
	require.Error(t, <-ended)

	wait(t.Context())
	tried()
	s := &shelf{served: map[int]int{}}
	s.put(bundleOf(t, basic()))
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }() // until Close
	t.Cleanup(func() { _ = server.Close() })
	clock.forward(time.Second)
	require.NoError(t, <-ended)
	src, err := r.Read()
	require.NoError(t, err)
	require.Equal(t, "http://"+address, src.Origin)
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	s := newShelf(t, basic())
	gone := make(chan struct{})
	s.does(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); gone <- struct{}{} })
	r := remote(t, source.RemoteOptions{URL: s.URL, Timeout: 100 * time.Millisecond})
	err := r.Fetch(t.Context())
	<-gone
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "no full answer in time")
	require.True(t, engine.IsRetryable(err))
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, name := range []string{"policies", "b.tar.gz", "ftp://x/b.tar.gz", "http:/x"} {
		require.False(t, source.IsURL(name), name)
	}
	for address, says := range map[string]string{
		"http://bot:hunter2@host/b": "holds a user", "https://hunter2@host/": "holds a user",
		"https://": "name a host", "http://hunter2%zz/": "must begin with",
	} {
		require.True(t, source.IsURL(address))
		_, err := source.NewRemote(source.RemoteOptions{URL: address})
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// Requests are spread over a fifth of the time between them.
func TestTheTimeBetweenRequests(t *testing.T) {
	r := remote(t, source.RemoteOptions{URL: "http://x", Seed: 1})
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := r.NextInterval()
		least, most = min(least, d), max(most, d)
	}
	require.GreaterOrEqual(t, least, 27*time.Second)
	require.Less(t, least, 28*time.Second)
	require.LessOrEqual(t, most, 33*time.Second)
	require.Greater(t, most, 32*time.Second)
}
