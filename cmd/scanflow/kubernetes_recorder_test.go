package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// requestRecorder is a server in front of the API server that counts what is asked.
type requestRecorder struct {
	*httptest.Server
	apiServer string

	mu   sync.Mutex
	seen map[string]int // by "GET deployments/scale" or "watch pods"
}

func newRequestRecorder(t testing.TB, c *testcluster.Cluster) *requestRecorder {
	t.Helper()
	server, err := url.Parse(c.URL())
	require.NoError(t, err)
	w := &requestRecorder{apiServer: c.URL(), seen: map[string]int{}}
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // the test cluster's own
		FlushInterval: -1,
	}
	w.Server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen[requestKind(r)]++
		w.mu.Unlock()
		reverse.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// requestKind names a request by its method, its resource and the subresource.
func requestKind(r *http.Request) string {
	verb := r.Method
	if r.URL.Query().Get("watch") != "" {
		verb = "watch"
	}
	at := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if i := min(len(at), map[string]int{"api": 2, "apis": 3}[at[0]]); i > 0 {
		at = at[i:]
	}
	if len(at) > 2 && at[0] == "namespaces" {
		at = at[2:]
	}
	switch len(at) {
	case 0:
		return verb + " discovery"
	case 3:
		return verb + " " + at[0] + "/" + at[2]
	}
	return verb + " " + at[0]
}

// kubeconfig copies a kubeconfig, for a client whose requests are counted.
func (w *requestRecorder) kubeconfig(t testing.TB, from string) string {
	t.Helper()
	config, err := os.ReadFile(from)
	require.NoError(t, err)
	text := regexp.MustCompile(`certificate-authority-data: \S+`).ReplaceAllString(strings.ReplaceAll(string(config), w.apiServer, w.URL), "insecure-skip-tls-verify: true")
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// counts returns the counts of the requests whose kind begins so.
func (w *requestRecorder) counts(prefix string) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for kind, n := range w.seen {
		if strings.HasPrefix(kind, prefix) {
			out[kind] = n
		}
	}
	return out
}
