package orchestrator_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
)

// twoNodes returns nodes a and b, each with a core of its own if the machine has two.
func twoNodes(t *testing.T) (a, b orchestrator.Node) {
	t.Helper()
	have, err := pod.UsableCores()
	require.NoError(t, err)
	return orchestrator.Node{Name: "a", Cores: have[:1]}, orchestrator.Node{Name: "b", Cores: have[len(have)-1:]}
}

func onCoresOf(t *testing.T, dir, name string, nodes ...orchestrator.Node) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range testlocal.Processes(t, dir, name) {
		for _, n := range nodes {
			if n.Name == p.Node {
				seen[n.Name] = true
				testpod.OnCores(t, p.PID, n.Cores.String())
			}
		}
	}
	require.Len(t, seen, len(nodes))
}

// Pods run on their node's cores: new ones, restarted ones, and those adopted by an
// orchestrator whose nodes have other cores.
func TestPodsRunOnTheirNodesCores(t *testing.T) {
	dir := t.TempDir()
	a, b := twoNodes(t)
	first := testlocal.OpenOn(t, dir, a, b)
	testlocal.Reload(t, first, testlocal.Web("web", 2))
	testlocal.WaitReady(t, first, "web")
	onCoresOf(t, dir, "web", a, b)

	was := testlocal.Processes(t, dir, "web")
	for _, p := range was {
		require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	restarted := func(o *orchestrator.Orchestrator, was map[string]testlocal.Process) func() bool {
		return func() bool {
			for name, p := range testlocal.Processes(t, dir, "web") {
				if p.PID == 0 || p.PID == was[name].PID {
					return false
				}
			}
			return testlocal.Workload(t, o, "web").Ready == 2
		}
	}
	testlocal.Eventually(t, "restarted", restarted(first, was))
	onCoresOf(t, dir, "web", a, b)

	was = testlocal.Processes(t, dir, "web")
	testlocal.Shut(t, first, orchestrator.Detach)
	swapped := []orchestrator.Node{{Name: "a", Cores: b.Cores}, {Name: "b", Cores: a.Cores}}
	second := testlocal.OpenOn(t, dir, swapped...)
	testlocal.Reload(t, second, testlocal.Web("web", 2))
	testlocal.WaitReady(t, second, "web")
	require.Equal(t, was, testlocal.Processes(t, dir, "web"))
	onCoresOf(t, dir, "web", a, b)
	for _, p := range was {
		require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	testlocal.Eventually(t, "restarted", restarted(second, was))
	onCoresOf(t, dir, "web", a, b)
	require.NoError(t, second.Restart(named("web"), "change-1")) // new pods
	waitComplete(t, second, "web")
	onCoresOf(t, dir, "web", swapped...)
}
