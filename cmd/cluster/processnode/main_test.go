package processnode

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// nodeRole makes the test binary a node of that name, with KUBECONFIG and NODE_DIR.
const nodeRole = "SCANFLOW_TEST_NODE"

func TestMain(m *testing.M) {
	if name := os.Getenv(nodeRole); name != "" {
		runNode(name)
	}
	if os.Getenv(testpod.Role) != "" {
		testpod.Main()
	}
	testcluster.Main(m)
}

func runNode(name string) {
	client, err := apiclient.New(apiclient.Options{})
	if err == nil {
		err = Run(context.Background(), options(client, name, os.Getenv("NODE_DIR")))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func options(client *apiclient.Client, name, dir string) Options {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Options{
		Client: client, Name: name, Dir: dir, Self: self, Labels: map[string]string{"test": strings.SplitN(name, ".", 2)[0]},
		BackOff: 500 * time.Millisecond, InitialProbePeriod: 20 * time.Millisecond, Heartbeat: time.Second,
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}),
	}
}

const (
	soon  = 30 * time.Second
	often = 20 * time.Millisecond
)

// bench is a test's part of the cluster: a namespace, and nodes for its pods only.
type bench struct {
	*testing.T
	cluster *testcluster.Cluster
	core    *corev1client.CoreV1Client
	ns      string
	name    string // of its nodes, as the label "test" has it
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c := testcluster.Shared(t)
	core, err := corev1client.NewForConfig(c.Client().Config)
	require.NoError(t, err)
	return &bench{T: t, cluster: c, core: core, ns: c.Namespace(t), name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))}
}

// node runs a node in this process until stop is called or the test ends.
func (b *bench) node(suffix string, change ...func(*Options)) (stop func()) {
	b.Helper()
	name := b.name + suffix
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	o := options(b.cluster.Client(), name, b.TempDir())
	for _, c := range change {
		c(&o)
	}
	go func() { ended <- Run(ctx, o) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(b, <-ended)
		}
	}
	b.Cleanup(func() {
		stop()
		require.NoError(b, b.core.Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}))
	})
	b.nodeReady(name)
	return stop
}

func (b *bench) nodeReady(name string) {
	b.Helper()
	b.until("node "+name+" is ready", func() bool {
		n, err := b.core.Nodes().Get(b.Context(), name, metav1.GetOptions{})
		return err == nil && len(n.Spec.Taints) == 0 && nodeCondition(n) == corev1.ConditionTrue
	})
}

func nodeCondition(n *corev1.Node) corev1.ConditionStatus {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// child runs a node in a process that the test can kill.
func (b *bench) child(suffix, dir string) *exec.Cmd {
	b.Helper()
	name := b.name + suffix
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeRole+"="+name, "KUBECONFIG="+b.cluster.Kubeconfig(), "NODE_DIR="+dir)
	cmd.Stderr = os.Stderr
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	b.nodeReady(name)
	return cmd
}

func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	require.Eventually(b, ok, soon, often, what)
}

// pod returns the YAML of a pod that runs the test program on this test's nodes, with
// further fields of its spec and its container.
func (b *bench) pod(name, spec, container string, env ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s}\nspec:\n%s", name, b.ns, indent(b.spec(spec, container, env...), 2))
}

func (b *bench) spec(spec, container string, env ...string) string {
	vars := `{name: ` + testpod.Role + `, value: "1"}, {name: GORACE, value: atexit_sleep_ms=0}, {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}`
	for i := 0; i < len(env); i += 2 {
		vars += fmt.Sprintf(", {name: %s, value: %q}", env[i], env[i+1])
	}
	return strings.Join([]string{
		"nodeSelector: {test: " + b.name + "}",
		"terminationGracePeriodSeconds: 5",
		spec,
		"containers:",
		"- name: main",
		"  image: registry.example/main:1",
		"  command: [scanflow]",
		"  env: [" + vars + "]",
		"  ports: [{name: http, containerPort: 8080}]",
		indent(container, 2),
	}, "\n")
}

// deployment returns the YAML of a Deployment of such pods with a readiness probe.
func (b *bench) deployment(replicas int, spec, container string, env ...string) string {
	container = "readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}\n" + container
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
%s`, b.ns, replicas, indent(b.spec(spec, container, env...), 6))
}

func indent(text string, by int) string {
	pad := strings.Repeat(" ", by)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

func (b *bench) get(name string) *corev1.Pod {
	b.Helper()
	p, err := b.core.Pods(b.ns).Get(b.Context(), name, metav1.GetOptions{})
	require.NoError(b, err)
	return p
}

// ready waits until the Deployment has exactly this many pods and all are Ready.
func (b *bench) ready(n int) []corev1.Pod {
	b.Helper()
	var found []corev1.Pod
	b.until(fmt.Sprintf("%d pods are ready", n), func() bool {
		list, err := b.core.Pods(b.ns).List(b.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil || len(list.Items) != n {
			return false
		}
		for i := range list.Items {
			if !isReady(&list.Items[i]) {
				return false
			}
		}
		found = list.Items
		return true
	})
	return found
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func main0(p *corev1.Pod) corev1.ContainerStatus {
	if len(p.Status.ContainerStatuses) == 0 {
		return corev1.ContainerStatus{}
	}
	return p.Status.ContainerStatuses[0]
}

func (b *bench) gone(name string) {
	b.Helper()
	b.until(name+" is gone", func() bool {
		_, err := b.core.Pods(b.ns).Get(b.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// request returns the response of a pod; "" if there is none.
func (b *bench) ask(p *corev1.Pod, path string) string {
	return requestAddress(b.T, p.Status.PodIP+":8080", path)
}

func requestAddress(t *testing.T, address, path string) string {
	t.Helper()
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(raw)
}

func (b *bench) file(name string) string { return filepath.Join(b.TempDir(), name) }
