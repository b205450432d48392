package router

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func service(name string) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func podAt(app, address string) Pod {
	host, port, _ := strings.Cut(address, ":")
	at := intstr.Parse(port)
	n := at.IntValue()
	return Pod{Namespace: "ns", Labels: map[string]string{"app": app}, IP: host, Port: func(intstr.IntOrString) (int, bool) { return n, true }, Inflight: &Inflight{}}
}

func collected(t *testing.T, r *Router, want string) {
	t.Helper()
	var help strings.Builder
	for _, d := range Definitions() {
		help.WriteString("# HELP " + d.Name + " " + d.Help + "\n# TYPE " + d.Name + " " + d.Type + "\n")
		for _, line := range strings.Split(want, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), d.Name+"{") {
				help.WriteString(strings.TrimSpace(line) + "\n")
			}
		}
	}
	require.NoError(t, testutil.CollectAndCompare(r, strings.NewReader(help.String())))
}

// A request is counted on arrival by its backend, and at its end by the status of the
// response, whether a pod or the router sent it.
func TestRequestsAreCountedByBackendAndCode(t *testing.T) {
	begun, gone, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case "/hold":
			close(begun)
			<-release
		case "/gone":
			close(gone)
			<-r.Context().Done()
		case "/broken":
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(pod.Close)
	r := New(Options{RandomPorts: true, RoutesOnly: true})
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	require.NoError(t, prometheus.NewPedanticRegistry().Register(r))
	rt := Route{Namespace: "ns", Name: "models", Port: 8090, Backends: []Backend{{"a", 80, 100}, {"b", 80, 0}, {"none", 80, 0}}}
	services := []corev1.Service{service("a"), service("b")}
	require.NoError(t, r.SetRoutes(t.Context(), services, []Route{rt}))
	r.SetPods([]Pod{podAt("a", pod.Listener.Addr().String())})
	at, ok := r.Address(KindRoute, "ns", "models")
	require.True(t, ok)
	_, ok = r.Address(KindService, "ns", "a")
	require.False(t, ok, "only routes listen")

	const of = `{backend="a",kind="HTTPRoute",name="models",namespace="ns",port="8090"`
	const b = `{backend="b",kind="HTTPRoute",name="models",namespace="ns",port="8090"`
	const none = `{backend="none",kind="HTTPRoute",name="models",namespace="ns",port="8090"`
	const rest = `
		scanflow_router_requests_in_flight` + b + `} 0
		scanflow_router_requests_in_flight` + none + `} 0
		scanflow_router_requests_total` + none + `} 0`
	collected(t, r, rest+`
		scanflow_router_requests_in_flight`+of+`} 0
		scanflow_router_requests_total`+of+`} 0
		scanflow_router_requests_total`+b+`} 0`)

	held := make(chan int, 1)
	go func() { code, _, _ := get("http://" + at + "/hold"); held <- code }()
	<-begun
	collected(t, r, rest+`
		scanflow_router_requests_in_flight`+of+`} 1
		scanflow_router_requests_total`+of+`} 1
		scanflow_router_requests_total`+b+`} 0`)
	close(release)
	require.Equal(t, 200, <-held)
	for path, want := range map[string]int{"/": 200, "/teapot": 418, "/broken": 502} {
		code, _, err := get("http://" + at + path)
		require.NoError(t, err)
		require.Equal(t, want, code)
	}
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/gone", nil)
	require.NoError(t, err)
	left := make(chan struct{})
	go func() {
		defer close(left)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-gone
	leave()
	<-left

	rt.Backends[0].Weight, rt.Backends[1].Weight = 0, 1
	r.SetWeights(rt)
	code, _, err := get("http://" + at) // of b no pod is ready
	require.NoError(t, err)
	require.Equal(t, 503, code)
	require.Eventually(t, func() bool { return testutil.ToFloat64(r.metrics.counters(rt.frontendID(), "a").inFlight) == 0 }, soon, soon/1000)
	collected(t, r, rest+`
		scanflow_router_requests_in_flight`+of+`} 0
		scanflow_router_requests_total`+of+`} 5
		scanflow_router_requests_total`+b+`} 1
		scanflow_router_responses_total{backend="a",code="200",kind="HTTPRoute",name="models",namespace="ns",port="8090"} 2
		scanflow_router_responses_total{backend="a",code="418",kind="HTTPRoute",name="models",namespace="ns",port="8090"} 1
		scanflow_router_responses_total{backend="a",code="499",kind="HTTPRoute",name="models",namespace="ns",port="8090"} 1
		scanflow_router_responses_total{backend="a",code="502",kind="HTTPRoute",name="models",namespace="ns",port="8090"} 1
		scanflow_router_responses_total{backend="b",code="503",kind="HTTPRoute",name="models",namespace="ns",port="8090"} 1`)

	require.NoError(t, r.SetRoutes(t.Context(), services, nil))
	collected(t, r, "")
}
