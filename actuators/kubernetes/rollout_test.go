package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestARolloutOfAStatefulSet(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", stateful)
	target := b.settled(t, "apps/v1", "StatefulSet", "db")
	old := b.admin.WaitPods(t, b.ns, "app=db", 1)[0]
	b.admin.RunPod(t, old, "rollout-node", "127.3.0.1", 0)
	verb := restarter{b.Cluster}
	change := done(t, verb, proposal("restart", target, nil))
	var fresh unstructured.Unstructured
	removed := false
	soon(t, "the pod is made anew", func() bool {
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		require.Equal(t, engine.Running, out.Status, out.Detail)
		fresh = b.admin.WaitPods(t, b.ns, "app=db", 1)[0]
		if fresh.GetUID() == old.GetUID() && fresh.GetDeletionTimestamp() != nil && !removed {
			removed = true // as its kubelet would
			b.admin.Delete(t, podsResource, b.ns, fresh.GetName())
		}
		return fresh.GetUID() != old.GetUID()
	})
	b.admin.RunPod(t, fresh, "rollout-node", "127.3.0.2", 0)
	soon(t, "the rollout ends", func() bool {
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		return out.Status == engine.Done
	})
}

func TestARolloutOfAKindThatReportsNone(t *testing.T) {
	b := newBench(t)
	b.widgets(t)
	b.create(t, "kubectl-create", "{apiVersion: widgets.example.com/v1, kind: Widget, metadata: {name: w}, spec: {template: {spec: {containers: []}}}}")
	verb := restarter{b.Cluster}
	target := engine.Target{APIVersion: "widgets.example.com/v1", Kind: "Widget", Namespace: b.ns, Name: "w"}
	out, err := verify(t, verb, done(t, verb, proposal("restart", target, nil)))
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "written; a Widget reports no rollout"}, out)
}

// The last words of a program are in no outcome.
func TestAConditionWithoutTheWordsOfAProgram(t *testing.T) {
	require.Equal(t, `: RevisionFailed: Revision "m-1" failed with message: Container failed`, conditionDetail(map[string]any{
		"reason": "RevisionFailed", "message": `Revision "m-1" failed with message: Container failed with: password=s3cret`,
	}))
}
