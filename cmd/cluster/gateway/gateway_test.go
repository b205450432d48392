package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/processnode"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func TestMain(m *testing.M) {
	if os.Getenv(testpod.Role) != "" {
		testpod.Main()
	}
	testcluster.Main(m)
}

const (
	soon  = 30 * time.Second
	often = 20 * time.Millisecond
)

// bench is a namespace with a process-backed node and a gateway.
type bench struct {
	*testing.T
	cluster *testcluster.Cluster
	ns      string
	gateway *Gateway
	listens sync.Map // by the route's name
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "httproute")
	b := &bench{T: t, cluster: c, ns: c.Namespace(t)}
	self, err := os.Executable()
	require.NoError(t, err)
	b.run("the node", func(ctx context.Context) error {
		return processnode.Run(ctx, processnode.Options{
			Client: c.Client(), Name: b.ns, Dir: t.TempDir(), Self: self, InitialProbePeriod: 20 * time.Millisecond, Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}),
		})
	})
	t.Cleanup(func() { // it runs before the node stops
		pods := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(b.ns)
		_ = pods.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	b.gateway, err = New(Options{Client: c.Client(), OnListen: func(_, name, address string) { b.listens.Store(name, address) }})
	require.NoError(t, err)
	b.run("the gateway", b.gateway.Run)
	return b
}

// run runs a function until the test ends.
func (b *bench) run(what string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	b.Cleanup(func() { cancel(); require.NoError(b, <-ended, what) })
}

func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	require.Eventually(b, ok, soon, often, what)
}

// serving returns a Deployment of the test program and its Service. A deleted pod keeps
// serving for a second, as is necessary behind any gateway: the gateway learns of the
// deletion no earlier than the kubelet.
func (b *bench) serving(name string, replicas int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %[2]s}
      terminationGracePeriodSeconds: 5
      containers:
      - name: main
        image: none
        command: [scanflow]
        env: [{name: %[4]s, value: "1"}, {name: GORACE, value: atexit_sleep_ms=0}, {name: PORT, value: "8080"}, {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec: {selector: {app: %[1]s}, ports: [{port: 80, targetPort: http}]}
---
`, name, b.ns, replicas, testpod.Role)
}

func (b *bench) route(name, port, more string) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %s, namespace: %s}
spec:
  parentRefs: [{name: gateway, port: %s}]
  rules:
  - backendRefs: [{name: primary, port: 80, weight: 100}, {name: backup, port: 80, weight: 0}]
%s`, name, b.ns, port, more)
}

func (b *bench) httpRoute(name string) *unstructured.Unstructured {
	b.Helper()
	o, err := b.cluster.Client().Dynamic.Resource(routeResource).Namespace(b.ns).Get(b.Context(), name, metav1.GetOptions{})
	require.NoError(b, err)
	return o
}

// condition returns "STATUS REASON: message" of this gateway's condition for the current
// generation of the route; "" if there is none.
func (b *bench) condition(name, kind string) string {
	o := b.httpRoute(name)
	parents, _, _ := unstructured.NestedSlice(o.Object, "status", "parents")
	for _, p := range parents {
		var s parentStatus
		require.NoError(b, runtime.DefaultUnstructuredConverter.FromUnstructured(p.(map[string]any), &s))
		for _, c := range s.Conditions {
			if s.ControllerName == ControllerName && c.Type == kind && c.ObservedGeneration == o.GetGeneration() {
				return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
			}
		}
	}
	return ""
}

func (b *bench) weigh(primary, backup int) {
	b.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{
		map[string]any{"name": "primary", "port": 80, "weight": primary}, map[string]any{"name": "backup", "port": 80, "weight": backup},
	}}}}})
	require.NoError(b, err)
	_, err = b.cluster.Client().Dynamic.Resource(routeResource).Namespace(b.ns).Patch(b.Context(), "models", types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(b, err)
	b.until("the gateway has taken the weights", func() bool { return strings.HasPrefix(b.condition("models", "Accepted"), "True") })
}

func ask(url string) (code int, body string, header http.Header, err error) {
	resp, err := (&http.Client{Timeout: soon}).Get(url)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), resp.Header, err
}

// load sends requests until it is stopped, and counts the responses by Deployment and the
// failures.
type load struct {
	stop  atomic.Bool
	all   sync.WaitGroup
	mu    sync.Mutex
	by    map[string]int
	wrong []string
}

func startLoad(clients int, url string) *load {
	l := &load{by: map[string]int{}}
	for range clients {
		l.all.Go(func() {
			for !l.stop.Load() {
				code, body, _, err := ask(url)
				l.mu.Lock()
				if err != nil || code != http.StatusOK {
					l.wrong = append(l.wrong, fmt.Sprint(code, body, err))
				}
				name, _, _ := strings.Cut(body, "-")
				l.by[name]++
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *load) count(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[name]
}

func (l *load) end(t *testing.T) {
	l.stop.Store(true)
	l.all.Wait()
	require.Empty(t, l.wrong)
	t.Logf("answered: %v", l.by)
}

func (b *bench) counted(name string, labels ...string) float64 {
	b.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b.gateway.Collector())
	families, err := r.Gather()
	require.NoError(b, err)
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text := m.String()
			all := f.GetName() == name
			for _, l := range labels {
				all = all && strings.Contains(text, fmt.Sprintf("value:%q", l))
			}
			if all {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// Under load the weights are changed and pods are deleted: no request fails.
func TestWeightsAndPodsChangeUnderLoad(t *testing.T) {
	b := newBench(t)
	at := freeport.Reserve(t)
	_, port, _ := net.SplitHostPort(at)
	b.cluster.Apply(t, b.route("models", port, ""))
	b.until("the route is accepted", func() bool { return b.condition("models", "Accepted") == "True Accepted: requests go by the route" })
	require.Contains(t, b.condition("models", "ResolvedRefs"), "False BackendNotFound: spec.rules[0].backendRefs[0].name: there is no Service primary; spec.rules[0].backendRefs[1].name")
	code, body, header, err := ask("http://" + at)
	require.NoError(t, err)
	require.Equal(t, 503, code)
	require.Equal(t, "1", header.Get("Retry-After"))
	require.Contains(t, body, "has no ready pod")

	b.cluster.Apply(t, b.serving("primary", 2)+b.serving("backup", 2))
	b.until("the backends are there", func() bool { return strings.HasPrefix(b.condition("models", "ResolvedRefs"), "True ") })
	b.until("it is served", func() bool { code, _, _, err := ask("http://" + at); return err == nil && code == 200 })
	address, _ := b.listens.Load("models")
	require.Equal(t, at, address)

	l := startLoad(8, "http://"+at+"/?ms=10")
	b.until("the primary answers", func() bool { return l.count("primary") > 100 })
	require.Zero(t, l.count("backup"))
	b.weigh(0, 100)
	before := b.counted("scanflow_router_requests_total", "primary")
	b.until("the backup answers", func() bool { return l.count("backup") > 200 })
	require.Equal(t, before, b.counted("scanflow_router_requests_total", "primary"), "not one more arrived at the primary")

	core, err := corev1client.NewForConfig(b.cluster.Client().Config)
	require.NoError(t, err)
	pods, err := core.Pods(b.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=backup"})
	require.NoError(t, err)
	require.Len(t, pods.Items, 2)
	require.NoError(t, core.Pods(b.ns).Delete(t.Context(), pods.Items[0].Name, metav1.DeleteOptions{}))
	b.until("another pod has taken its place", func() bool {
		now, err := core.Pods(b.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=backup"})
		require.NoError(t, err)
		ready := 0
		for i := range now.Items {
			if PodReady(&now.Items[i]) && now.Items[i].Name != pods.Items[0].Name {
				ready++
			}
		}
		return ready == 2 && len(now.Items) == 2
	})
	b.weigh(50, 50)
	was := l.count("primary")
	b.until("both answer", func() bool { return l.count("primary") > was+50 })
	l.end(t)
	total := l.count("primary") + l.count("backup")
	b.until("all are counted, by code", func() bool { return b.counted("scanflow_router_responses_total", "200") >= float64(total) })
	require.GreaterOrEqual(t, b.counted("scanflow_router_responses_total", "503", "primary"), 1.0)
	require.Zero(t, b.counted("scanflow_router_requests_in_flight"))

	require.NoError(t, b.cluster.Client().Dynamic.Resource(routeResource).Namespace(b.ns).Delete(t.Context(), "models", metav1.DeleteOptions{}))
	b.until("nobody listens any more", func() bool { _, _, _, err := ask("http://" + at); return err != nil })
}

// A rejected route has the reason in its status, doesn't block other routes, and is
// accepted once the cause is gone.
func TestARejectedRouteHasTheReason(t *testing.T) {
	b := newBench(t)
	taken, err := net.Listen("tcp", freeport.Reserve(t))
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	free := freeport.Reserve(t)
	_, freePort, _ := net.SplitHostPort(free)
	b.cluster.Apply(t, b.route("blocked", port, "")+"\n---\n"+b.route("fine", freePort, ""))
	b.until("the one is accepted", func() bool { return strings.HasPrefix(b.condition("fine", "Accepted"), "True ") })
	b.until("the other is not", func() bool {
		return strings.HasPrefix(b.condition("blocked", "Accepted"), "False NoMatchingParent: HTTPRoute "+b.ns+"/blocked can't listen: ")
	})
	b.cluster.Apply(t, b.route("second", freePort, "")+"\n---\n"+b.route("hosts", freePort, "  hostnames: [a.example]\n"))
	b.until("a port is the first's", func() bool {
		return strings.HasPrefix(b.condition("second", "Accepted"), "False NoMatchingParent: HTTPRoute "+b.ns+"/fine and HTTPRoute "+b.ns+"/second both want port "+freePort)
	})
	b.until("a field is named", func() bool {
		return strings.HasPrefix(b.condition("hosts", "Accepted"), "False UnsupportedValue: the stand-in gateway can't honour: spec.hostnames: ")
	})
	code, _, _, err := ask("http://" + free)
	require.NoError(t, err)
	require.Equal(t, 503, code)
	require.NoError(t, taken.Close())
	b.until("it is tried again", func() bool { return strings.HasPrefix(b.condition("blocked", "Accepted"), "True ") })

	// The status of another controller is kept, and an unchanged status is not written again.
	o := b.httpRoute("fine")
	parents, _, _ := unstructured.NestedSlice(o.Object, "status", "parents")
	other := map[string]any{"controllerName": "x.example/gw", "parentRef": map[string]any{"name": "x"}, "conditions": []any{}}
	require.NoError(t, unstructured.SetNestedSlice(o.Object, append(parents, other), "status", "parents"))
	_, err = b.cluster.Client().Dynamic.Resource(routeResource).Namespace(b.ns).UpdateStatus(t.Context(), o, metav1.UpdateOptions{})
	require.NoError(t, err)
	b.cluster.Apply(t, b.route("fine", freePort, "  hostnames: [a.example]\n"))
	b.until("it is no longer accepted", func() bool { return strings.HasPrefix(b.condition("fine", "Accepted"), "False ") })
	parents, _, _ = unstructured.NestedSlice(b.httpRoute("fine").Object, "status", "parents")
	require.Len(t, parents, 2)
	require.Equal(t, "x.example/gw", parents[0].(map[string]any)["controllerName"])
	b.until("its port is the second's now", func() bool { return strings.HasPrefix(b.condition("second", "Accepted"), "True ") })
	version := b.httpRoute("hosts").GetResourceVersion()
	b.cluster.Apply(t, b.serving("primary", 0))
	b.until("another change is seen", func() bool { return !strings.Contains(b.condition("second", "ResolvedRefs"), "no Service primary") })
	require.Equal(t, version, b.httpRoute("hosts").GetResourceVersion())
}
