package router

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

const soon = 15 * time.Second

func get(url string) (status int, body string, err error) {
	resp, err := (&http.Client{Timeout: soon}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// newTestFrontend serves a frontend with these endpoints, in this order.
func newTestFrontend(t testing.TB, addresses ...string) (url string, f *frontend) {
	t.Helper()
	r := New(Options{RandomPorts: true})
	id := FrontendID{Kind: KindService, Namespace: "test", Name: "web"}
	f = newFrontend(id, r.transport, func() *counters { return r.metrics.counters(id, "") }, r.opts.Log)
	b := &balancer{}
	var to []endpoint
	for _, a := range addresses {
		to = append(to, endpoint{a, &Inflight{}})
	}
	b.set(to)
	f.backends.Store(&weightedBackends{backends: []weightedBackend{{balancer: b, counters: r.metrics.counters(id, "web"), weight: 1}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	in := serve(r, l)
	in.frontend.Store(f)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		require.NoError(t, in.close(ctx))
		require.NoError(t, r.Close(ctx))
		for _, e := range to {
			require.Zero(t, e.inflight.Count(), "a request was not counted out")
		}
	})
	return "http://" + in.address, f
}

func TestRefusedConnectionGoesToAnotherReplica(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(echo.Close)
	url, f := newTestFrontend(t, freeport.Reserve(t), echo.Listener.Addr().String(), freeport.Reserve(t)) // as of pods that just died
	for _, size := range []int{0, 100, 200 << 10} {                                                       // no body, one kept in memory, one streamed
		body := bytes.Repeat([]byte("x"), size)
		for range 6 {
			resp, err := http.Post(url, "text/plain", bytes.NewReader(body))
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 200, resp.StatusCode)
			require.True(t, bytes.Equal(body, got), "%d bytes of %d came back", len(got), size)
		}
	}
	require.Zero(t, f.errors.Load())

	url, f = newTestFrontend(t, freeport.Reserve(t), freeport.Reserve(t))
	status, body, err := get(url)
	require.NoError(t, err)
	require.Equal(t, 503, status)
	require.Equal(t, "Service test/web has no ready pod\n", body)
	require.EqualValues(t, 1, f.errors.Load())
}

func TestAResponseMayStartBeforeTheRequestEnds(t *testing.T) {
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, "begun ")
		_ = http.NewResponseController(w).Flush()
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	}))
	t.Cleanup(pod.Close)
	url, _ := newTestFrontend(t, pod.Listener.Addr().String())
	body, write := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = write.CloseWithError(ctx.Err()) })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err, "the answer waits for the body's end")
	begun := make([]byte, len("begun "))
	_, err = io.ReadFull(resp.Body, begun)
	require.NoError(t, err)
	_, err = write.Write(bytes.Repeat([]byte("x"), 200<<10))
	require.NoError(t, err)
	require.NoError(t, write.Close())
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "begun 204800 <nil>", string(begun)+string(rest))
	require.NoError(t, resp.Body.Close())
}

func TestAnAbortedResponseIsABadGateway(t *testing.T) {
	var asked atomic.Int64
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(broken.Close)
	url, f := newTestFrontend(t, broken.Listener.Addr().String(), broken.Listener.Addr().String())
	resp, err := http.Post(url, "text/plain", strings.NewReader("once"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
	require.EqualValues(t, 1, asked.Load(), "what was sent once is not sent again")
	require.EqualValues(t, 1, f.errors.Load())
}

func BenchmarkProxy(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	b.Cleanup(server.Close)
	url, _ := newTestFrontend(b, server.Listener.Addr().String())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	for name, url := range map[string]string{"direct": server.URL, "proxied": url} {
		b.Run(name, func(b *testing.B) {
			var failed atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Get(url)
					if err != nil {
						failed.Add(1)
						continue
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
			require.Zero(b, failed.Load())
		})
	}
}
