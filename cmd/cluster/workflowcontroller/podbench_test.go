package workflowcontroller

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/processnode"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
)

// podBench is a cluster with two process-backed nodes, n1 and n2, on which the steps of
// workflows are pods.
type podBench struct {
	*bench
	core *corev1client.CoreV1Client
}

func newPodBench(t *testing.T) *podBench {
	t.Helper()
	c := testcluster.New(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate")
	core, err := corev1client.NewForConfig(c.Client().Config)
	require.NoError(t, err)
	b := &podBench{&bench{T: t, cluster: c, ns: c.Namespace(t), dir: t.TempDir()}, core}
	for _, name := range []string{"n1", "n2"} {
		b.node(name)
	}
	return b
}

func (b *podBench) node(name string) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- processnode.Run(ctx, processnode.Options{
			Client: b.cluster.Client(), Name: name, Dir: b.TempDir(), Labels: map[string]string{"test": "argo"},
			BackOff: 500 * time.Millisecond, Heartbeat: time.Second, Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}),
		})
	}()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-ended)
	})
	require.NoError(b, b.cluster.WaitNodesReady(context.Background(), name))
}

// controller runs the controller until stop is called.
func (b *podBench) controller() (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Client: b.cluster.Client(), Namespace: b.ns, Dir: b.dir, Pods: true, Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})})
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

// online applies a Deployment of one pod on a node.
func (b *podBench) online(name, on string) {
	b.Helper()
	b.cluster.Apply(b, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %[3]s}
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: none, command: [sleep, "3600"]}]
`, name, b.ns, on))
	b.until(name+" is ready", func() bool { return len(b.podsOf("app="+name, corev1.PodRunning)) == 1 })
}

func (b *podBench) podsOf(selector string, phase corev1.PodPhase) (out []corev1.Pod) {
	b.Helper()
	list, err := b.core.Pods(b.ns).List(b.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(b, err)
	for i := range list.Items {
		if p := list.Items[i]; p.Status.Phase == phase && p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out
}

// runningPod waits until exactly one pod of a selector runs.
func (b *podBench) runningPod(selector string) corev1.Pod {
	b.Helper()
	var found []corev1.Pod
	b.until("a pod of "+selector+" runs", func() bool { found = b.podsOf(selector, corev1.PodRunning); return len(found) == 1 })
	return found[0]
}

// batch applies a WorkflowTemplate whose second step records its progress in a file, and
// runs until a file "go" exists.
func (b *podBench) batch(at, retry string) {
	b.Helper()
	b.cluster.Apply(b, fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: offline, namespace: %[1]s}
spec:
  entrypoint: main
  podMetadata: {labels: {app: batch}}
  templates:
  - name: main
    dag:
      tasks:
      - {name: load, template: load}
      - name: infer
        template: infer
        dependencies: [load]
        arguments: {artifacts: [{name: data, from: "{{tasks.load.outputs.artifacts.data}}"}]}
    outputs: {parameters: [{name: total, valueFrom: {parameter: "{{tasks.infer.outputs.parameters.total}}"}}]}
  - name: load
    outputs: {artifacts: [{name: data, path: /tmp/data}]}
    container: {image: "none:1", command: [sh, -c, "echo loaded >{{outputs.artifacts.data.path}}"]}
  - name: infer
    inputs: {artifacts: [{name: data, path: /tmp/data}]}
    outputs: {parameters: [{name: total, valueFrom: {path: /tmp/total}}]}
    %[3]s
    container:
      image: none:1
      command: [sh, -c]
      args: ["echo begun >>%[2]s; until [ -e %[2]s.go ]; do sleep 0.05; done; cat {{inputs.artifacts.data.path}}; wc -l <%[2]s >{{outputs.parameters.total.path}}"]
`, b.ns, at, retry))
}

func (b *podBench) proposal(verb, with string) engine.Proposal {
	p := engine.Proposal{Agent: "default/planner", Primitive: verb, Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "online"}, With: map[string]any{}}
	require.NoError(b, jsonInto(with, &p.With))
	p.Identity = engine.Identity(p, "f1")
	return p
}

// plan plans an act, once the Workflow's status has the running steps.
func (b *podBench) plan(verb engine.Actuator, p engine.Proposal) engine.Change {
	b.Helper()
	var change engine.Change
	b.until("it is planned", func() bool {
		var err error
		change, err = verb.Plan(b.Context(), p)
		if err != nil {
			require.ErrorContains(b, err, "Argo shows no node of its pod yet")
		}
		return err == nil
	})
	return change
}

// cannot returns the error of planning an act, once the Workflow's status has the running steps.
func (b *podBench) cannot(verb engine.Actuator, p engine.Proposal) error {
	b.Helper()
	var err error
	b.until("it is refused", func() bool {
		_, err = verb.Plan(b.Context(), p)
		require.Error(b, err)
		return !strings.Contains(err.Error(), "Argo shows no node of its pod yet")
	})
	return err
}

const away = `{"template": "offline", "move": true, "antiAffinity": {"matchLabels": {"app": "online"}}}`
