package workflowcontroller

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// argoRole makes the test binary the controller of a namespace, with KUBECONFIG and
// ARGO_DIR.
const argoRole = "SCANFLOW_TEST_ARGO"

func TestMain(m *testing.M) {
	if namespace := os.Getenv(argoRole); namespace != "" {
		client, err := apiclient.New(apiclient.Options{})
		if err == nil {
			err = Run(context.Background(), Options{Client: client, Namespace: namespace, Dir: os.Getenv("ARGO_DIR"), Pods: os.Getenv("ARGO_PODS") != ""})
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testcluster.Main(m)
}

const (
	soon  = 30 * time.Second
	often = 20 * time.Millisecond
)

// bench is a test's namespace and its controller.
type bench struct {
	*testing.T
	cluster *testcluster.Cluster
	ns, dir string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate")
	return &bench{T: t, cluster: c, ns: c.Namespace(t), dir: t.TempDir()}
}

// start runs the controller in this process until stop is called or the test ends.
func (b *bench) start() (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{
			Client: b.cluster.Client(), Namespace: b.ns, Dir: b.dir, KillWithParent: true, Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}),
		})
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(b, <-ended)
		}
	}
	b.Cleanup(stop)
	return stop
}

// child runs the controller in a process that the test can kill.
func (b *bench) child(env ...string) (kill func()) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), argoRole+"="+b.ns, "KUBECONFIG="+b.cluster.Kubeconfig(), "ARGO_DIR="+b.dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	require.NoError(b, cmd.Start())
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	b.Cleanup(kill)
	return kill
}

// template applies a WorkflowTemplate "train" with a step "load" and a step "fit" that runs a script.
func (b *bench) template(script, extra string) {
	b.Helper()
	b.cluster.Apply(b, fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: train, namespace: %s}
spec:
  entrypoint: main
  serviceAccountName: workflow
  nodeSelector: {disk: fast}
  arguments: {parameters: [{name: data}, {name: epochs, value: "2"}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: load, template: load}
      - name: fit
        template: fit
        dependencies: [load]
        arguments: {artifacts: [{name: data, from: "{{tasks.load.outputs.artifacts.data}}"}]}
    outputs: {parameters: [{name: accuracy, valueFrom: {parameter: "{{tasks.fit.outputs.parameters.accuracy}}"}}]}
  - name: load
    outputs: {artifacts: [{name: data, path: /tmp/data}]}
    container: {image: "none:1", command: [sh, -c, "echo {{workflow.parameters.data}} {{workflow.parameters.epochs}} >{{outputs.artifacts.data.path}}"]}
  - name: fit
    inputs: {artifacts: [{name: data, path: /tmp/data}]}
    outputs: {parameters: [{name: accuracy, valueFrom: {path: /tmp/accuracy}}]}
    affinity: {nodeAffinity: {}}
    %s
    container:
      image: none:1
      command: [sh, -c]
      args: [%q, "{{inputs.artifacts.data.path}}", "{{outputs.parameters.accuracy.path}}"]
`, b.ns, extra, script))
}

// workflow creates a Workflow "run" of the template.
func (b *bench) workflow(spec string) *unstructured.Unstructured {
	b.Helper()
	return b.cluster.Apply(b, fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: run, namespace: %s}
spec: {workflowTemplateRef: {name: train}, arguments: {parameters: [{name: data, value: digits}]}%s}
`, b.ns, spec))[0]
}

func (b *bench) get(name string) *unstructured.Unstructured {
	b.Helper()
	o, err := b.cluster.Client().Dynamic.Resource(workflows).Namespace(b.ns).Get(b.Context(), name, metav1.GetOptions{})
	require.NoError(b, err)
	return o
}

func (b *bench) patch(name, patch string) {
	b.Helper()
	_, err := b.cluster.Client().Dynamic.Resource(workflows).Namespace(b.ns).Patch(b.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(b, err)
}

func (b *bench) delete(name string) {
	b.Helper()
	require.NoError(b, b.cluster.Client().Dynamic.Resource(workflows).Namespace(b.ns).Delete(b.Context(), name, metav1.DeleteOptions{}))
}

func field(o *unstructured.Unstructured, path ...string) string {
	text, _, _ := unstructured.NestedString(o.Object, path...)
	return text
}

// phase waits for a Workflow's phase.
func (b *bench) phase(name, want string) *unstructured.Unstructured {
	b.Helper()
	var o *unstructured.Unstructured
	b.until(name+" is "+want, func() bool {
		o = b.get(name)
		return field(o, "status", "phase") == want
	})
	return o
}

func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	require.Eventually(b, ok, soon, often, what)
}

func (b *bench) file(name string) string { return filepath.Join(b.TempDir(), name) }

func (b *bench) written(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func jsonInto(text string, into any) error { return json.Unmarshal([]byte(text), into) }
