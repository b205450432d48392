package processnode

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
)

// A node with cores has them as its capacity, and its pods run on them.
func TestPodsRunOnTheNodesCores(t *testing.T) {
	have, err := pod.UsableCores()
	require.NoError(t, err)
	own := have[len(have)-1:]
	b := newBench(t)
	b.node("", func(o *Options) { o.Cores = own })
	n, err := b.core.Nodes().Get(t.Context(), b.name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "1", n.Status.Allocatable.Cpu().String())
	b.cluster.Apply(t, b.pod("p", "", ""))
	before := 0
	for range 2 { // the second is after a restart of the container
		var p *corev1.Pod
		pid := 0
		b.until("it serves", func() bool {
			p = b.get("p")
			pid, _ = strconv.Atoi(b.ask(p, "/pid"))
			return isReady(p) && pid != 0 && pid != before
		})
		testpod.OnCores(t, pid, own.String())
		before = pid
		b.ask(p, "/exit")
	}
}
