package workflowcontroller

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

// S3 on a cluster, while the run is active: its step shares a node with the service and is
// evicted to the other one, which counts as a retry.
func TestPlaceMovesARunOnACluster(t *testing.T) {
	b := newPodBench(t)
	b.online("online", "n1")
	stop := b.controller()
	cluster := &kubernetes.Cluster{Client: b.cluster.Client(), Clock: engine.WallClock{}, Publish: func(context.Context, engine.Event) error { return nil }}
	place, run := kubernetes.Place(cluster), kubernetes.WorkflowRun(cluster)
	at := b.file("progress")
	b.batch(at, "retryStrategy: {limit: 1, retryPolicy: Always}")

	// Its affinity places it on the node of the service.
	b.cluster.Apply(t, fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: run, namespace: %s}\nspec: {workflowTemplateRef: {name: offline}, affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: online}}}}]}}}", b.ns))
	b.until("its step runs", func() bool { return b.written(at) == "begun" })
	step := b.runningPod("app=batch")
	require.Equal(t, "n1", step.Spec.NodeName, "they share a node")
	require.Equal(t, "run", step.Labels["workflows.argoproj.io/workflow"])
	require.Equal(t, "run.infer(0)", step.Annotations[nodeNameAnnotation])

	change := b.plan(place, b.proposal("place", away))
	require.Contains(t, change.Diff, "pods away from those with app=online, by kubernetes.io/hostname, required")
	require.Contains(t, change.Diff, "run run: pods away from those with app=online")
	require.Contains(t, change.Diff, "step infer(0) leaves node n1 (anti-affinity with pod "+b.ns+"/online-")
	for range 2 { // applying it twice is applying it once
		_, err := place.Apply(t.Context(), change)
		require.NoError(t, err)
	}
	var out engine.Outcome
	var err error
	b.until("it is moved", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		require.NotEqual(t, engine.Failed, out.Status, out.Detail)
		return out.Status == engine.Done
	})
	require.Contains(t, out.Detail, "run run: step infer(0) on node n2")
	b.until("it goes on", func() bool { return b.written(at) == "begun\nbegun" })
	o := b.get("run")
	require.Contains(t, field(o, "status", "phase"), "Running")
	recreated, err := place.Plan(t.Context(), b.proposal("place", away))
	require.NoError(t, err)
	require.True(t, recreated.NoOp, recreated.Diff)

	stop() // another process of the controller goes on
	require.Equal(t, "Failed", field(b.phase("run", "Failed"), "status", "phase"), "it ends its runs, in order")
	b.controller()
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))

	// The template has the new placement by now.
	p := b.proposal("workflow.run", `{"template": "offline"}`)
	change, err = run.Plan(t.Context(), p)
	require.NoError(t, err)
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	b.until("the run ends", func() bool {
		out, err = run.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return out.Status != engine.Running
	})
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "Succeeded, 2/2"}, out)
	for _, pod := range b.podsOf("workflows.argoproj.io/workflow!=run,app=batch", corev1.PodSucceeded) {
		require.Equal(t, "n2", pod.Spec.NodeName)
	}
}

// S3 from the start: the run's placement keeps its step away from the node of the service.
func TestARunIsPlacedApart(t *testing.T) {
	b := newPodBench(t)
	b.online("online", "n1")
	b.controller()
	run := kubernetes.WorkflowRun(&kubernetes.Cluster{Client: b.cluster.Client(), Clock: engine.WallClock{}, Publish: func(context.Context, engine.Event) error { return nil }})
	at := b.file("progress")
	b.batch(at, "")
	_, err := b.cluster.Client().Dynamic.Resource(templates).Namespace(b.ns).Patch(t.Context(), "offline", types.MergePatchType,
		[]byte(`{"spec": {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "online"}}}}]}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	for with, node := range map[string]string{
		`{"template": "offline"}`: "n1",
		`{"template": "offline", "antiAffinity": {"matchLabels": {"app": "online"}}}`: "n2",
	} {
		change, err := run.Plan(t.Context(), b.proposal("workflow.run", with))
		require.NoError(t, err)
		_, err = run.Apply(t.Context(), change)
		require.NoError(t, err)
		b.until("the run ends", func() bool {
			out, err := run.(engine.Verifier).Verify(t.Context(), change)
			require.NoError(t, err)
			return out.Status == engine.Done
		})
		name := workflowrun.Name("offline", b.proposal("workflow.run", with).Identity)
		pods := b.podsOf("workflows.argoproj.io/workflow="+name, corev1.PodSucceeded)
		require.Len(t, pods, 2)
		for _, pod := range pods {
			require.Equal(t, node, pod.Spec.NodeName, with)
		}
	}
}

// A step that was evicted succeeds in its retry, which is counted.
func TestAnEvictedStepSucceedsAndIsCounted(t *testing.T) {
	b := newPodBench(t)
	b.online("online", "n1")
	b.controller()
	place := kubernetes.Place(&kubernetes.Cluster{Client: b.cluster.Client(), Clock: engine.WallClock{}})
	at := b.file("progress")
	b.batch(at, "retryStrategy: {limit: 1, retryPolicy: Always}")
	b.cluster.Apply(t, fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: run, namespace: %s}\nspec: {workflowTemplateRef: {name: offline}}", b.ns))
	b.until("its step runs", func() bool { return b.written(at) == "begun" })
	on := b.runningPod("app=batch").Spec.NodeName
	p := b.proposal("place", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "`+map[string]string{"n1": "n2", "n2": "n1"}[on]+`"}}`)
	change := b.plan(place, p)
	_, err := place.Apply(t.Context(), change)
	require.NoError(t, err)
	b.until("it goes on elsewhere", func() bool { return b.written(at) == "begun\nbegun" })
	now := b.runningPod("app=batch")
	require.NotEqual(t, on, now.Spec.NodeName)

	// It has no retry left: a further eviction is rejected before anything changes.
	p = b.proposal("place", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "`+on+`"}}`)
	require.ErrorContains(t, b.cannot(place, p), "its step infer(1) can't leave node "+now.Spec.NodeName+": no more retries left after 1 of 1, so that it would fail once its pod is evicted; raise the limit of its retryStrategy")

	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	o := b.phase("run", "Succeeded")
	nodes, _ := o.Object["status"].(map[string]any)["nodes"].(map[string]any)
	phases := map[string]string{}
	for _, raw := range nodes {
		n := raw.(map[string]any)
		phases[n["name"].(string)] = n["phase"].(string)
	}
	require.Equal(t, "Succeeded", phases["run.infer"])
	require.Contains(t, []string{"Failed", "Error"}, phases["run.infer(0)"])
	require.Equal(t, "Succeeded", phases["run.infer(1)"])
	require.Equal(t, "2", strings.TrimSpace(fmt.Sprint(outputOf(nodes, "run", "total"))), "it went on where it was")
	out, err := place.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Done, out.Status, out.Detail)
}

func outputOf(nodes map[string]any, id, name string) any {
	node, _ := nodes[id].(map[string]any)
	outputs, _ := node["outputs"].(map[string]any)
	list, _ := outputs["parameters"].([]any)
	for _, item := range list {
		if p, _ := item.(map[string]any); p["name"] == name {
			return p["value"]
		}
	}
	return nil
}

// A step that Argo would not retry is not evicted.
func TestAnEvictionThatWouldFailTheRunIsRejected(t *testing.T) {
	b := newPodBench(t)
	b.online("online", "n1")
	b.online("second", "n2")
	b.controller()
	place := kubernetes.Place(&kubernetes.Cluster{Client: b.cluster.Client(), Clock: engine.WallClock{}})
	at := b.file("progress")
	for i, row := range []struct{ retry, want string }{
		{"", "it has no retryStrategy, so that it would fail once its pod is evicted; give it retryStrategy: {limit: N, retryPolicy: Always}"},
		{"retryStrategy: {limit: 2}", "its retryStrategy has the retryPolicy OnFailure, which does not cover every end of a pod that is evicted"},
		{"retryStrategy: {limit: 2, retryPolicy: OnError}", "its retryStrategy has the retryPolicy OnError"},
	} {
		file := fmt.Sprintf("%s%d", at, i)
		b.batch(file, row.retry)
		name := fmt.Sprintf("run-%d", i)
		b.cluster.Apply(t, fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: %s, namespace: %s}\nspec: {workflowTemplateRef: {name: offline}}", name, b.ns))
		b.until("its step runs", func() bool { return b.written(file) == "begun" })
		err := b.cannot(place, b.proposal("place", `{"template": "offline", "move": true, "antiAffinity": {"matchLabels": {"app": "`+map[string]string{"n1": "online", "n2": "second"}[b.runningPod("workflows.argoproj.io/workflow="+name).Spec.NodeName]+`"}}}`))
		require.ErrorContains(t, err, "place Workflow "+b.ns+"/"+name+": its step infer")
		require.ErrorContains(t, err, row.want)
		require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
		b.phase(name, "Succeeded")
	}
}

// No node is permitted: the step stays pending, as the outcome reports; after an undo it runs again.
func TestAnEvictedStepWithoutANode(t *testing.T) {
	b := newPodBench(t)
	b.online("online", "n1")
	b.controller()
	place := kubernetes.Place(&kubernetes.Cluster{Client: b.cluster.Client(), Clock: engine.WallClock{}})
	at := b.file("progress")
	b.batch(at, "retryStrategy: {limit: 3, retryPolicy: Always}")
	b.cluster.Apply(t, fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: run, namespace: %s}\nspec: {workflowTemplateRef: {name: offline}}", b.ns))
	b.until("its step runs", func() bool { return b.written(at) == "begun" })
	change := b.plan(place, b.proposal("place", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "nowhere"}}`))
	_, err := place.Apply(t.Context(), change)
	require.NoError(t, err)
	var out engine.Outcome
	b.until("it waits", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		require.Equal(t, engine.Running, out.Status, out.Detail)
		return strings.Contains(out.Detail, "and waits: 0/2 nodes are available")
	})
	b.until("its node is pending", func() bool {
		raw, _ := b.get("run").Object["status"].(map[string]any)["nodes"].(map[string]any)
		for _, n := range raw {
			if n.(map[string]any)["name"] == "run.infer(1)" {
				return n.(map[string]any)["phase"] == "Pending"
			}
		}
		return false
	})
	// The placement of a pending pod changes: the pod is recreated, which isn't a retry.
	change, err = place.Plan(t.Context(), b.proposal("place", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "n2"}}`))
	require.NoError(t, err)
	require.Contains(t, change.Diff, "the pod of step infer(1), which waits for a node, is made anew")
	_, err = place.Apply(t.Context(), change)
	require.NoError(t, err)
	b.until("it is there", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return out.Status == engine.Done && strings.Contains(out.Detail, "on node n2")
	})
	// Again no node is permitted, and the change is undone: the pending pod has the old placement.
	b.runningPod("app=batch")
	change = b.plan(place, b.proposal("place", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "nowhere"}}`))
	_, err = place.Apply(t.Context(), change)
	require.NoError(t, err)
	b.until("it waits again", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return strings.Contains(out.Detail, "and waits: 0/2 nodes are available")
	})
	_, err = place.(engine.Undoer).Undo(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, "n2", b.runningPod("app=batch").Spec.NodeName)
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	o := b.phase("run", "Succeeded")
	raw, _ := o.Object["status"].(map[string]any)["nodes"].(map[string]any)
	for _, n := range raw {
		require.NotEqual(t, "run.infer(3)", n.(map[string]any)["name"])
	}
}

// The controller is killed while a pod runs, and the pod is evicted before it restarts.
func TestPodsSurviveTheController(t *testing.T) {
	b := newPodBench(t)
	kill := b.child("ARGO_PODS=1")
	at := b.file("progress")
	b.batch(at, "retryStrategy: {limit: 1, retryPolicy: Always}")
	for _, name := range []string{"run", "evicted"} {
		b.cluster.Apply(t, fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: %s, namespace: %s}\nspec: {workflowTemplateRef: {name: offline}}", name, b.ns))
	}
	b.until("both steps run", func() bool { return b.written(at) == "begun\nbegun" })
	kept, lost := b.runningPod("workflows.argoproj.io/workflow=run"), b.runningPod("workflows.argoproj.io/workflow=evicted")
	b.until("Argo has seen them run", func() bool {
		for _, name := range []string{"run", "evicted"} {
			nodes, _ := b.get(name).Object["status"].(map[string]any)["nodes"].(map[string]any)
			running := 0
			for _, n := range nodes {
				if n.(map[string]any)["hostNodeName"] != nil && n.(map[string]any)["phase"] == "Running" {
					running++
				}
			}
			if running != 1 {
				return false
			}
		}
		return true
	})
	kill()
	now := int64(0)
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), lost.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	b.controller()
	b.until("the evicted one is begun again, and the other is not", func() bool { return b.written(at) == "begun\nbegun\nbegun" })
	require.Equal(t, kept.UID, b.runningPod("workflows.argoproj.io/workflow=run").UID)
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	b.phase("run", "Succeeded")
	nodes, _ := b.phase("evicted", "Succeeded").Object["status"].(map[string]any)["nodes"].(map[string]any)
	for _, n := range nodes {
		if n := n.(map[string]any); n["name"] == "evicted.infer(0)" {
			require.Equal(t, "Error", n["phase"])
			require.Equal(t, "pod deleted", n["message"])
		}
	}
}
