package testcluster

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A pod on a process-backed node runs: the word "scanflow" is this checkout's program,
// which is reachable at the pod's address. Stopping the node removes its objects.
func TestProcessNodesRunPods(t *testing.T) {
	c := New(t)
	ns := c.Namespace(t)
	t.Run("while they live", func(t *testing.T) {
		c.ProcessNodes(t, "a", "b=0")
		gateway := c.Gateway(t)
		c.Apply(t, `
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: `+ns+`, labels: {app: p}}
spec:
  nodeName: b
  terminationGracePeriodSeconds: 5
  initContainers: [{name: train, image: none, command: [scanflow, digits, train, --count, "600", -o, $(SCANFLOW_VOLUME_MODEL)/m.digits]}]
  volumes: [{name: model, emptyDir: {}}]
  containers:
  - name: serve
    image: none
    command: [scanflow, digits, serve, --model, $(SCANFLOW_VOLUME_MODEL)/m.digits, --listen, "$(POD_IP):8080"]
    env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
    readinessProbe: {httpGet: {path: /healthz, port: 8080}}
`)
		pods := c.Client().Dynamic.Resource(podResource).Namespace(ns)
		var p *unstructured.Unstructured
		require.Eventually(t, func() bool {
			var err error
			p, err = pods.Get(t.Context(), "p", getOptions)
			require.NoError(t, err)
			return podReady(p)
		}, 2*waitTimeout, 50*time.Millisecond)
		ip, _, _ := unstructured.NestedString(p.Object, "status", "podIP")
		resp, err := http.Get("http://" + ip + ":8080/metrics")
		require.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, string(raw), "digits_model_info")

		// A gateway routes to it, and counts the requests.
		c.Apply(t, `
apiVersion: v1
kind: Service
metadata: {name: s, namespace: `+ns+`}
spec: {selector: {app: p}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: `+ns+`}
spec: {parentRefs: [{name: gateway, port: 80}], rules: [{backendRefs: [{name: s, port: 80}]}]}
`)
		at, err := gateway.Address(t.Context(), ns, "r")
		require.NoError(t, err)
		read := func(url string) string {
			resp, err := http.Get(url)
			require.NoError(t, err)
			raw, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			return string(raw)
		}
		require.Contains(t, read(at+"/metrics"), "digits_model_info")
		counts, err := gateway.Metrics(t.Context())
		require.NoError(t, err)
		require.Contains(t, read(counts), `scanflow_router_requests_total{backend="s",kind="HTTPRoute",name="r",namespace="`+ns+`",port="80"} 1`)
	})
	for _, name := range []string{"a", "b"} {
		_, err := c.Client().Dynamic.Resource(nodes).Get(t.Context(), name, getOptions)
		require.True(t, apierrors.IsNotFound(err), "%v", err)
	}
	p, err := c.Client().Dynamic.Resource(podResource).Namespace(ns).Get(t.Context(), "p", getOptions)
	if !apierrors.IsNotFound(err) { // the control plane may have removed it with its node already
		require.NoError(t, err)
		phase, _, _ := unstructured.NestedString(p.Object, "status", "phase")
		require.Equal(t, "Failed", phase)
	}
}

// A node that ends unexpectedly is reported.
func TestAnUnexpectedEndOfANodeIsReported(t *testing.T) {
	c := Shared(t)
	binaries, err := c.BuildBinaries(t.Context())
	require.NoError(t, err)
	n, err := c.StartNode("doomed", binaries)
	require.NoError(t, err)
	require.NoError(t, c.WaitNodesReady(t.Context(), "doomed"))
	n.Kill()
	require.ErrorContains(t, n.Stop(), "node doomed ended by itself")
}
