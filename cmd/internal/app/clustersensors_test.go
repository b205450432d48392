package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// The sensors that read the cluster's objects, with the real view of a real control plane.

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// newView returns a view that ends with the test.
func newView(t *testing.T, o clusterview.Options) *clusterview.View {
	t.Helper()
	v := clusterview.New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, v.Close(ctx))
	})
	return v
}

func clusterView(t *testing.T) (*testcluster.Cluster, *clusterview.View) {
	t.Helper()
	c := testcluster.Shared(t)
	return c, newView(t, clusterview.Options{Client: c.Client()})
}

func fleetOf(t *testing.T, v *clusterview.View, s engine.Selector) engine.Fleet {
	t.Helper()
	f, err := v.Fleet(s)
	require.NoError(t, err)
	return f
}

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 30*time.Second, 20*time.Millisecond, what)
}

// web is a Deployment without an image that runs.
func web(namespace, name string, replicas int) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec: {containers: [{name: main, image: "example.com/digits:1"}]}
`, namespace, name, replicas)
}

func TestAWorkflowsProgressIsASignal(t *testing.T) {
	c, v := clusterView(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	jobs := schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	job := func(namespace, name, model string) string {
		return strings.NewReplacer("NS", namespace, "NAME", name, "MODEL", model).Replace(`---
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: NS, labels: {model: MODEL, use: train}}
spec:
  completions: 8
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/train:1"}]}}
`)
	}
	c.Apply(t, job(ns, "first", "digits")+job(other, "elsewhere", "letters"))
	s, err := sensors.Kinds["object"].New(&sensors.ObjectConfig{
		APIVersion: "batch/v1", Kind: "Job", Selector: &sensors.ObjectSelector{MatchLabels: map[string]string{"use": "train"}},
		Match: map[string]string{"model": "name"}, Field: "status.succeeded",
	}, sensors.Env{Workloads: v})
	require.NoError(t, err)
	fleet := []engine.Target{{Namespace: ns, Name: "digits"}, {Namespace: ns, Name: "letters"}}
	reading := func() engine.Reading {
		r, err := s.Sample(t.Context(), time.Unix(1, 0), fleet)
		require.NoError(t, err)
		return r
	}
	soon(t, "the Job is seen", func() bool { return strings.Contains(reading()[0].Problem, "has no status.succeeded") })
	require.Equal(t, engine.Empty, reading()[1].State, "a Job of another namespace is another's")
	c.Patch(t, jobs, ns, "first", `{"status": {"succeeded": 3}}`, "status")
	soon(t, "its progress is seen", func() bool { return reading()[0].Value == 3.0 })
	fleet = append(fleet, engine.Target{Namespace: other, Name: "letters"})
	require.Equal(t, engine.Empty, reading()[2].State)
	s.(interface{ Release() }).Release()

	_, err = sensors.Kinds["object"].New(&sensors.ObjectConfig{
		APIVersion: "batch/v1", Kind: "Job", Match: map[string]string{"model": "name"}, Field: "status.succeeded",
		Selector: &sensors.ObjectSelector{MatchLabels: map[string]string{"use": "not a label/value"}},
	}, sensors.Env{Workloads: v})
	require.ErrorContains(t, err, "selector")
}

// lone is a pod of an app without a controller.
func lone(ns, name, app string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {app: %s}}\nspec: {containers: [{name: c, image: none}]}\n", name, ns, app)
}

func TestColocatedPodsAreASignal(t *testing.T) {
	c, v := clusterView(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, web(ns, "online", 1)+"---\n"+web(ns, "idle", 0)+lone(ns, "batch-1", "batch")+lone(ns, "batch-2", "batch")+lone(ns, "batch-3", "batch")+lone(other, "batch-4", "batch"))
	f := fleetOf(t, v, engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns})
	build := func(namespaces ...string) engine.Sensor {
		s, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}, Namespaces: namespaces}, sensors.Env{Workloads: v})
		require.NoError(t, err)
		return s
	}
	reading := func(s engine.Sensor) map[string]engine.Signal {
		fleet, err := f.Targets(t.Context())
		require.NoError(t, err)
		r, err := s.Sample(t.Context(), time.Unix(1, 0), fleet)
		require.NoError(t, err)
		out := map[string]engine.Signal{}
		for i := range fleet {
			out[fleet[i].Name] = r[i]
		}
		return out
	}
	s := build()
	soon(t, "the targets are seen", func() bool { return len(reading(s)) == 2 })
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "no pod of the workload has a node"}, reading(s)["online"], "its pod is pending, and shares nothing")
	online := c.WaitPods(t, ns, "app=online", 1)[0]
	c.RunPod(t, online, ns+"-one", "127.7.0.1", 0)
	soon(t, "a zero is measured", func() bool { return reading(s)["online"].Value == 0.0 })
	require.Equal(t, engine.Empty, reading(s)["idle"].State)
	batch := c.WaitPods(t, ns, "app=batch", 3)
	c.RunPod(t, batch[0], ns+"-one", "127.7.0.2", 0)
	c.RunPod(t, batch[1], ns+"-two", "127.7.0.3", 0) // elsewhere; the third stays pending
	c.RunPod(t, c.WaitPods(t, other, "app=batch", 1)[0], ns+"-one", "127.7.0.4", 0)
	soon(t, "the one beside it is seen", func() bool { return reading(s)["online"].Value == 1.0 })
	both := build(ns, other)
	soon(t, "that of another namespace too, where it is named", func() bool { return reading(both)["online"].Value == 2.0 })
	both.(interface{ Release() }).Release()
	c.Patch(t, pods, ns, batch[0].GetName(), `{"status": {"phase": "Succeeded"}}`, "status")
	soon(t, "what has ended does not count", func() bool { return reading(s)["online"].Value == 0.0 })

	narrow := newView(t, clusterview.Options{Client: c.Client(), Namespace: ns})
	s, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}, Namespaces: []string{other}}, sensors.Env{Workloads: narrow})
	require.NoError(t, err)
	_, err = s.Sample(t.Context(), time.Unix(1, 0), []engine.Target{{Namespace: ns, Name: "online"}})
	require.ErrorContains(t, err, "pods of the namespace "+other+" are asked for, and this installation may see the namespace "+ns+" alone")
}
