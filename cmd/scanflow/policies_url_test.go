package main

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

// bundleServer serves the bundle that is on it, under an ETag, to who has the token.
type bundleServer struct {
	t       *testing.T
	site    *site
	address string
	file    string // with the token

	mu     sync.Mutex
	packed []byte
	full   int // answers with a bundle in them
}

func newBundleServer(t *testing.T, s *site) *bundleServer {
	b := &bundleServer{t: t, site: s, address: freeport.Reserve(t), file: filepath.Join(s.dir, "bundle-token")}
	require.NoError(t, os.WriteFile(b.file, []byte("b4ndle-token\n"), 0o600))
	return b
}

func (b *bundleServer) start() {
	b.t.Helper()
	listener, err := net.Listen("tcp", b.address)
	require.NoError(b.t, err)
	server := &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // until Close
	b.t.Cleanup(func() { _ = server.Close() })
}

func (b *bundleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := fnv.New64a()
	_, _ = h.Write(b.packed)
	etag := fmt.Sprintf("%q", fmt.Sprint(h.Sum64()))
	w.Header().Set("ETag", etag)
	switch {
	case r.Header.Get("Authorization") != "Bearer b4ndle-token":
		w.WriteHeader(http.StatusForbidden)
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		b.full++
		_, _ = w.Write(b.packed)
	}
}

// publish builds what is in the site's policy folder, as stock `opa build` does.
func (b *bundleServer) publish() {
	b.t.Helper()
	file := filepath.Join(b.site.dir, "bundle.tar.gz")
	out, code := scanflow(b.t, "opa", "build", "--bundle", b.site.policies, "--output", file)
	require.Zero(b.t, code, out)
	packed, err := os.ReadFile(file)
	require.NoError(b.t, err)
	b.put(packed)
}

func (b *bundleServer) put(packed []byte) { b.mu.Lock(); defer b.mu.Unlock(); b.packed = packed }

func (b *bundleServer) sent() int { b.mu.Lock(); defer b.mu.Unlock(); return b.full }

func (b *bundleServer) args(more ...string) []string {
	return append([]string{"-f", b.site.agents, "--policies", "http://" + b.address + "/b.tar.gz", "--policies-token-file", b.file, "--data", b.site.data, "--policies-interval", "1s"}, more...)
}

// A daemon waits for the server of its bundle, takes up another bundle while it runs,
// and keeps the old policies where that is broken, and says so.
func TestPoliciesBehindAURL(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newBundleServer(t, s)
	b.publish()
	d := launch(t, b.args()...)
	d.said("there are no policies yet; trying again")
	require.NotContains(t, d.text(), `"@message":"running"`)
	b.start()
	d.said(`"@message":"running"`)
	for _, line := range d.lines() {
		if line["@message"] == "running" {
			d.url = "http://" + line["address"].(string)
		}
	}
	s.calls(1)
	d.metric("scanflow_policy_last_reload_successful 1")

	s.write("policies/another.rego", another)
	b.publish()
	require.Eventually(t, func() bool { return b.sent() == 2 }, 20*time.Second, 10*time.Millisecond)
	d.saidAgain("policies live", 2)

	s.write("policies/call_test.rego", strings.Replace(callTest, "== 1", "== 2", 1))
	b.publish()
	d.metric("scanflow_policy_last_reload_successful 0")
	_, body := d.get("/v1/policies")
	require.Contains(t, body, "test scanflow.strategies.t.call_test.test_calls fails")
	b.put([]byte("<html>log in</html>"))
	d.said("gzip: invalid header: it is no .tar.gz as opa build makes it")

	s.write("policies/call_test.rego", callTest)
	b.publish()
	d.metric("scanflow_policy_last_reload_successful 1")
	sent := b.sent()
	out, code := scanflow(t, "check", "-f", s.agents, "--policies", "http://"+b.address, "--policies-token-file", b.file)
	require.Zero(t, code, out)
	require.Contains(t, out, "with 2 strategies")
	require.Equal(t, sent+1, b.sent(), "the daemon asks, and nothing is sent")
	d.stop()
	require.NotContains(t, d.text(), "b4ndle-token")
}

// What will not pass by itself ends the start at once, with nothing started.
func TestPoliciesBehindAURLThatCanNotBe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newBundleServer(t, s)
	b.put([]byte("<html>log in</html>"))
	b.start()
	url := "http://" + b.address + "/b.tar.gz?sig=s3cret-sig"
	wrong := filepath.Join(s.dir, "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte("wr0ng-token"), 0o600))
	base := []string{"run", "-f", s.agents, "--data", s.data, "--listen", "127.0.0.1:0", "--policies"}
	for says, args := range map[string][]string{
		"answered 403 Forbidden; put a bearer token":                   {url, "--policies-token-file", wrong},
		"gzip: invalid header: it is no .tar.gz as opa build makes it": {url, "--policies-token-file", b.file},
		"no such file": {url, "--policies-token-file", filepath.Join(s.dir, "none")},
		"holds a user": {"http://bot:s3cret-sig@" + b.address},
		"--policies-token-file: goes with a URL in --policies": {s.policies, "--policies-token-file", b.file},
		"--policies-interval: 10ms is less than 1s":            {url, "--policies-interval", "10ms"},
	} {
		out, code := scanflow(t, append(base, args...)...)
		require.Equal(t, 1, code, out)
		require.Contains(t, out, says)
		require.NotContains(t, out, "s3cret-sig")
		require.NotContains(t, out, "wr0ng-token")
		require.NotContains(t, out, "b4ndle-token")
	}
	away := newBundleServer(t, s)
	d := launch(t, away.args()...)
	d.said("there are no policies yet; trying again")
	d.stop() // with status 0: nothing is wrong
	require.NoDirExists(t, s.data)
	require.Empty(t, s.app.keys())
}
