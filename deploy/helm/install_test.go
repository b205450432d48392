package helm_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

var (
	crdResource        = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	agentResource      = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}
	deploymentResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	podResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	ownDefinitions     = []string{"agents.scanflow.dev", "ledgers.scanflow.dev"}
)

// emptied is the shared cluster without Scanflow's definitions, before and after the test.
func emptied(t *testing.T) *testcluster.Cluster {
	t.Helper()
	c := testcluster.Shared(t)
	remove := func() {
		api := c.Client().Dynamic.Resource(crdResource)
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			for _, name := range ownDefinitions {
				_ = api.Delete(context.Background(), name, metav1.DeleteOptions{}) // looked for below
				_, err := api.Get(context.Background(), name, metav1.GetOptions{})
				require.True(t, apierrors.IsNotFound(err), name)
			}
		}, 30*time.Second, 50*time.Millisecond)
	}
	remove()
	t.Cleanup(remove)
	return c
}

func get(t *testing.T, c *testcluster.Cluster, resource schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := c.Client().Dynamic.Resource(resource).Namespace(namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

// installedPod is the pod of a release's Deployment in the cluster.
func installedPod(t *testing.T, c *testcluster.Cluster, namespace, name string) corev1.PodSpec {
	t.Helper()
	var d appsv1.Deployment
	read(t, get(t, c, deploymentResource, namespace, name).Object, &d)
	return d.Spec.Template.Spec
}

// ready waits until the process of a release is.
func (r *release) ready(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := r.ask(t, http.MethodGet, "/readyz", "", "")
		return status == http.StatusOK
	}, 60*time.Second, 50*time.Millisecond, "it is not ready")
}

const fleet = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: none}]}}
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: %[1]s}
spec:
  layer: infrastructure
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers: [{name: tick, every: 1s}]
  sensors: [{name: requests_per_second, prometheus: {query: load, match: {namespace: namespace, deployment: name}}}]
  strategies: [serving.autoscale]
  primitives: [scale]
  params: {requests_per_second_per_replica: 10, target_share: 0.8, scale_down_share: 0.5}
  guards: {replicas: {min: 1, max: 3}}
`

// prometheus answers every query with a load of 100 on the Deployment web of a namespace.
func prometheus(t *testing.T, namespace string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "vector", "result": [
			{"metric": {"namespace": %q, "deployment": "web"}, "value": [%d, "100"]}]}}`, namespace, time.Now().Unix())
	}))
	t.Cleanup(server.Close)
	return server
}

// The chart installs into a cluster that has nothing of Scanflow by one command, and runs the
// agents of its own namespace with the rights that it has by default. When it is uninstalled,
// the agents stay, and the next installation takes them up.
func TestInstallIntoAnEmptyCluster(t *testing.T) {
	c := emptied(t)
	namespace := c.Namespace(t) + "-new" // which is not there
	t.Cleanup(func() {
		_ = c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Delete(context.Background(), namespace, metav1.DeleteOptions{})
	})
	prom := prometheus(t, namespace)
	install := func() {
		_, said, err := helmIn(t, c.Kubeconfig(), "install", "scanflow", "scanflow", "--create-namespace", "-n", namespace, "--set", "prometheus.url="+prom.URL)
		require.NoError(t, err, said)
	}
	install()
	r := startRelease(t, c, namespace, installedPod(t, c, namespace, "scanflow"))
	r.ready(t)
	c.Apply(t, fmt.Sprintf(fleet, namespace))
	scaled := func(t *assert.CollectT) {
		o, err := c.Client().Dynamic.Resource(deploymentResource).Namespace(namespace).Get(context.Background(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		replicas, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		require.Equal(t, int64(3), replicas)
	}
	require.EventuallyWithT(t, scaled, 60*time.Second, 100*time.Millisecond, "the agent does not scale")

	t.Run("helm test", func(t *testing.T) {
		said, err := helmTest(t, c, namespace, r)
		require.NoError(t, err, said)
	})
	r.stop()
	t.Run("helm test of a release that is away", func(t *testing.T) {
		said, err := helmTest(t, c, namespace, r)
		require.Error(t, err, said)
	})

	_, said, err := helmIn(t, c.Kubeconfig(), "uninstall", "scanflow", "-n", namespace)
	require.NoError(t, err, said)
	for _, name := range ownDefinitions {
		get(t, c, crdResource, "", name)
	}
	get(t, c, agentResource, namespace, "planner")
	install()
}

// helmTest runs `helm test`, and the command of its pod where a kubelet would, against the
// release's process in place of its Service.
func helmTest(t *testing.T, c *testcluster.Cluster, namespace string, r *release) (string, error) {
	t.Helper()
	api := c.Client().Dynamic.Resource(podResource).Namespace(namespace)
	_ = api.Delete(t.Context(), "scanflow-test", *metav1.NewDeleteOptions(0)) // of the run before
	type result struct {
		said string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		out, said, err := helmIn(t, c.Kubeconfig(), "test", "scanflow", "-n", namespace, "--timeout", "60s")
		done <- result{out + said, err}
	}()
	var pod corev1.Pod
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		o, err := api.Get(context.Background(), "scanflow-test", metav1.GetOptions{})
		require.NoError(t, err)
		require.Empty(t, o.GetDeletionTimestamp())
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &pod))
	}, 30*time.Second, 50*time.Millisecond)
	args := pod.Spec.Containers[0].Args
	server := fmt.Sprintf("--server=http://scanflow.%s.svc:8282", namespace)
	require.Contains(t, args, server)
	line := strings.Join(args, " ")
	line = strings.ReplaceAll(strings.ReplaceAll(line, server, "--server="+r.url), "--wait=2m", "--wait=1s")
	out, err := exec.CommandContext(t.Context(), r.program, strings.Fields(line)...).CombinedOutput()
	t.Logf("%s", out)
	phase := "Succeeded"
	if err != nil {
		phase = "Failed"
	}
	c.Patch(t, podResource, namespace, "scanflow-test", fmt.Sprintf(`{"status": {"phase": %q}}`, phase), "status")
	got := <-done
	return got.said, got.err
}
