package processnode

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAStoppedNodeFailsItsPods(t *testing.T) {
	b := newBench(t)
	stop := b.node("")
	b.cluster.Apply(t, b.pod("p", "", ""))
	var p *corev1.Pod
	b.until("it serves", func() bool { p = b.get("p"); return isReady(p) && b.ask(p, "/") != "" })
	stop()
	require.Empty(t, b.ask(p, "/"))
	p = b.get("p")
	require.Equal(t, corev1.PodFailed, p.Status.Phase)
	require.Equal(t, "Terminated", p.Status.Reason)
	require.False(t, isReady(p))
	n, err := b.core.Nodes().Get(t.Context(), b.name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.ConditionFalse, nodeCondition(n))
}

func TestPodsAfterACrashOfTheNode(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	node := b.child("", dir)
	b.cluster.Apply(t, b.pod("always", "", ""))
	b.cluster.Apply(t, b.pod("never", "restartPolicy: Never", ""))
	address := map[string]string{}
	for _, name := range []string{"always", "never"} {
		b.until("it serves", func() bool {
			p := b.get(name)
			address[name] = p.Status.PodIP
			return isReady(p) && b.ask(p, "/") == name
		})
	}
	require.NoError(t, node.Process.Kill())
	_ = node.Wait()
	for name, ip := range address {
		b.until(name+" died with its node", func() bool { return requestAddress(t, ip+":8080", "/") == "" })
	}
	b.child("", dir)
	var p *corev1.Pod
	b.until("the one is restarted", func() bool {
		p = b.get("always")
		return isReady(p) && main0(p).RestartCount == 1 && b.ask(p, "/") == "always"
	})
	require.Equal(t, "NodeLost", main0(p).LastTerminationState.Terminated.Reason)
	require.Equal(t, address["always"], p.Status.PodIP, "it keeps its address")
	b.until("the other has failed", func() bool { p = b.get("never"); return p.Status.Phase == corev1.PodFailed })
	require.Equal(t, "NodeLost", p.Status.Reason)
	require.EqualValues(t, exitCodeKilled, main0(p).State.Terminated.ExitCode)
	require.EqualValues(t, 0, main0(p).RestartCount)
}

func TestHeartbeat(t *testing.T) {
	b := newBench(t)
	b.node("")
	n, err := b.core.Nodes().Get(t.Context(), b.name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, b.name, n.Labels["kubernetes.io/hostname"])
	require.Equal(t, "8", n.Status.Allocatable.Cpu().String())
	// The control plane marks the node as lost: it reports ready again.
	lost, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "Unknown"}}}})
	require.NoError(t, err)
	_, err = b.core.Nodes().Patch(t.Context(), b.name, "application/strategic-merge-patch+json", lost, metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	b.nodeReady(b.name)
	// The Node is deleted: it registers again.
	require.NoError(t, b.core.Nodes().Delete(t.Context(), b.name, metav1.DeleteOptions{}))
	b.nodeReady(b.name)
}
