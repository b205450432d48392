package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestRestartReplacesEveryPod(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	old := b.admin.WaitPods(t, b.ns, "app=web", 1)[0]
	b.admin.RunPod(t, old, "restart-node", "127.2.0.1", 0)
	verb := restarter{b.Cluster}
	p := proposal("restart", target, nil)
	change := done(t, verb, p)
	require.Equal(t, "replace every pod", change.Diff)
	require.True(t, plannedOf(t, verb, p).NoOp, "this very change has been made")
	p.Identity = "another"
	require.False(t, plannedOf(t, verb, p).NoOp)

	out, err := verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status, out.Detail)
	var fresh unstructured.Unstructured
	for _, pod := range b.admin.WaitPods(t, b.ns, "app=web", 2) {
		if pod.GetUID() != old.GetUID() {
			fresh = pod
		}
	}
	require.Equal(t, change.Identity, fresh.GetAnnotations()[RestartAnnotation])
	b.admin.RunPod(t, fresh, "restart-node", "127.2.0.2", 0)
	soon(t, "the rollout ends", func() bool {
		out, err := verify(t, verb, change)
		require.NoError(t, err)
		require.NotEqual(t, engine.Failed, out.Status, out.Detail)
		return out.Status == engine.Done && out.Detail == "1 of 1 pods new, 1 ready"
	})
	soon(t, "the old pod goes", func() bool {
		pod, err := b.admin.Client().Dynamic.Resource(podsResource).Namespace(b.ns).Get(testContext(t), old.GetName(), metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && pod.GetDeletionTimestamp() != nil
	})
	b.merge(t, "kubectl-rollout", "apps/v1", "Deployment", "web", `{"spec": {"template": {"metadata": {"annotations": {"scanflow.dev/restart": "x"}}}}}`)
	out, err = verify(t, verb, change)
	require.NoError(t, err)
	require.Equal(t, engine.Failed, out.Status)
}

func TestRestartOfWhatHasNoPods(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}")
	_, err := Restart(b.Cluster).Plan(testContext(t), proposal("restart", engine.Target{APIVersion: "v1", Kind: "ConfigMap", Namespace: b.ns, Name: "web"}, nil))
	require.ErrorContains(t, err, "a ConfigMap has no pod template")
}

func TestARestartDoesNotMakeWhatWasDeleted(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	change := plannedOf(t, Restart(b.Cluster), proposal("restart", target, nil))
	require.NoError(t, b.deployments(t).Delete(testContext(t), "web", metav1.DeleteOptions{}))
	_, err := Restart(b.Cluster).Apply(testContext(t), change)
	require.Error(t, err)
	require.False(t, engine.IsRetryable(err))
	_, err = b.deployments(t).Get(testContext(t), "web", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	_, err = Restart(b.Cluster).Apply(testContext(t), change)
	require.ErrorIs(t, err, ErrMoved, "made anew, it is another")
	_, marked, _ := unstructured.NestedString(b.read(t, "apps/v1", "Deployment", "web").Object, restartPath...)
	require.False(t, marked)
}

// Each verb writes under a manager of its own, so none gives up another's fields.
func TestVerbsLeaveEachOthersFieldsAlone(t *testing.T) {
	b := newBench(t)
	b.create(t, "helm", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	done(t, Restart(b.Cluster), proposal("restart", target, nil))
	target = b.settled(t, "apps/v1", "Deployment", "web")
	done(t, Scale(b.Cluster), proposal("scale", target, to(2)))
	done(t, Place(b.Cluster), proposal("place", target, map[string]any{"nodeSelector": map[string]any{"disk": "fast"}}))
	done(t, Annotate(b.Cluster), proposal("annotate", target, notes(map[string]any{"example.com/a": "1"})))
	p := proposal("restart", target, nil)
	p.Identity = "second"
	done(t, Restart(b.Cluster), again(p))
	target = b.settled(t, "apps/v1", "Deployment", "web")
	done(t, Scale(b.Cluster), again(proposal("scale", target, to(3))))

	o := b.read(t, "apps/v1", "Deployment", "web")
	mark, _, _ := unstructured.NestedString(o.Object, restartPath...)
	require.Equal(t, "second", mark)
	model, _, _ := unstructured.NestedString(o.Object, "spec", "template", "metadata", "annotations", "scanflow.dev/model")
	require.Equal(t, "digits/3", model)
	disk, _, _ := unstructured.NestedString(o.Object, "spec", "template", "spec", "nodeSelector", "disk")
	require.Equal(t, "fast", disk)
	require.Equal(t, int64(3), b.replicasOf(t, "web"))
	require.Equal(t, "1", o.GetAnnotations()["example.com/a"])
}
