package router

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// A client that aborts its request doesn't count as an error of the service, however it
// sends the body.
func TestAnAbortedRequestIsNoError(t *testing.T) {
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(pod.Close)
	for name, row := range map[string]struct{ begun, code string }{
		"a small body":              {"Content-Length: 100\r\n\r\nhalf", "499"},
		"a small body, none of it":  {"Content-Length: 100\r\n\r\n", "499"},
		"a large body":              {"Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 100000), "499"},
		"chunks":                    {"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "499"},
		"a chunk that is not whole": {"Transfer-Encoding: chunked\r\n\r\n50\r\nhello", "499"},
		"chunks that are no chunks": {"Transfer-Encoding: chunked\r\n\r\nhello\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(Options{RandomPorts: true, RoutesOnly: true})
			t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
			rt := Route{Namespace: "ns", Name: "models", Port: 8090, Backends: []Backend{{"a", 80, 1}}}
			require.NoError(t, r.SetRoutes(t.Context(), []corev1.Service{service("a")}, []Route{rt}))
			r.SetPods([]Pod{podAt("a", pod.Listener.Addr().String())})
			at, ok := r.Address(KindRoute, "ns", "models")
			require.True(t, ok)
			conn, err := net.Dial("tcp", at)
			require.NoError(t, err)
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+row.begun)
			require.NoError(t, err)
			require.NoError(t, conn.Close())

			of := r.metrics.counters(rt.frontendID(), "a")
			require.Eventually(t, func() bool {
				return testutil.CollectAndCount(r.metrics.responses) == 1 && testutil.ToFloat64(of.inFlight) == 0
			}, soon, soon/1000)
			require.EqualValues(t, 1, testutil.ToFloat64(r.metrics.responses.WithLabelValues("HTTPRoute", "ns", "models", "8090", "a", row.code)))
			require.Zero(t, r.Metrics()[0].Errors)
		})
	}
}

// A request that outlives its route doesn't create series.
func TestARequestThatOutlivesItsRouteLeavesNoSeries(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	pod := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	}))
	t.Cleanup(pod.Close)
	r := New(Options{RandomPorts: true, RoutesOnly: true})
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	services := []corev1.Service{service("a")}
	rt := Route{Namespace: "ns", Name: "models", Port: 8090, Backends: []Backend{{"a", 80, 1}}}
	require.NoError(t, r.SetRoutes(t.Context(), services, []Route{rt}))
	r.SetPods([]Pod{podAt("a", pod.Listener.Addr().String())})
	at, ok := r.Address(KindRoute, "ns", "models")
	require.True(t, ok)
	held := make(chan int, 1)
	go func() { code, _, _ := get("http://" + at); held <- code }()
	<-begun
	require.NoError(t, r.SetRoutes(t.Context(), services, nil))
	close(release)
	require.Equal(t, http.StatusOK, <-held)
	require.NoError(t, r.Close(context.Background())) // every request has ended
	collected(t, r, "")
}

// A route has series for its current backends only, and a backend that stays keeps its
// counters.
func TestARemovedBackendHasNoSeries(t *testing.T) {
	r := New(Options{RandomPorts: true, RoutesOnly: true})
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	rt := Route{Namespace: "ns", Name: "models", Port: 8090}
	services := []corev1.Service{service("stable")}
	for version := range 20 {
		rt.Backends = []Backend{{"stable", 80, 1}, {fmt.Sprintf("v%d", version), 80, 0}}
		require.NoError(t, r.SetRoutes(t.Context(), services, []Route{rt}))
		at, ok := r.Address(KindRoute, "ns", "models")
		require.True(t, ok)
		code, _, err := get("http://" + at)
		require.NoError(t, err)
		require.Equal(t, 503, code)
	}
	rt.Backends[1].Weight = 1
	r.SetWeights(rt)
	const of = `,kind="HTTPRoute",name="models",namespace="ns",port="8090"`
	require.Eventually(t, func() bool { return testutil.ToFloat64(r.metrics.counters(rt.frontendID(), "stable").inFlight) == 0 }, soon, soon/1000)
	collected(t, r, `
		scanflow_router_requests_in_flight{backend="stable"`+of+`} 0
		scanflow_router_requests_in_flight{backend="v19"`+of+`} 0
		scanflow_router_requests_total{backend="stable"`+of+`} 20
		scanflow_router_requests_total{backend="v19"`+of+`} 0
		scanflow_router_responses_total{backend="stable",code="503"`+of+`} 20`)
}
