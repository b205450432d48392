package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// twoNodes are nodes a and b, each with one core where this machine has two.
func twoNodes(t *testing.T) (a, b Node) {
	t.Helper()
	have, err := pod.UsableCores()
	require.NoError(t, err)
	return Node{"a", have[:1]}, Node{"b", have[len(have)-1:]}
}

func onCoresOf(t *testing.T, o *Orchestrator, name string, nodes ...Node) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]bool{}
	for _, r := range o.of(key{"test", name}) {
		for _, n := range nodes {
			if n.Name == r.rec.Node {
				seen[n.Name] = true
				testpod.OnCores(t, r.status.PID, n.Cores.String())
			}
		}
	}
	require.Len(t, seen, len(nodes))
}

// Pods have their node's cores: the new ones, those that were restarted, and those that
// an orchestrator adopted whose nodes have other cores now.
func TestPodsRunOnTheirNodesCores(t *testing.T) {
	dir := t.TempDir()
	a, b := twoNodes(t)
	first := openOn(t, dir, a, b)
	reload(t, first, web("web", 2))
	waitReady(t, first, "web")
	onCoresOf(t, first, "web", a, b)

	was := processes(first, "web")
	for _, p := range was {
		require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	restarted := func(o *Orchestrator, was map[string]pod.Handle) func() bool {
		return func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			for _, r := range o.of(key{"test", "web"}) {
				if !r.ready() || r.status.PID == was[r.rec.Name].PID {
					return false
				}
			}
			return true
		}
	}
	eventually(t, "restarted", restarted(first, was))
	onCoresOf(t, first, "web", a, b)

	was = processes(first, "web")
	shut(t, first, Detach)
	swapped := []Node{{"a", b.Cores}, {"b", a.Cores}}
	second := openOn(t, dir, swapped...)
	reload(t, second, web("web", 2))
	waitReady(t, second, "web")
	require.Equal(t, was, processes(second, "web"))
	onCoresOf(t, second, "web", a, b)
	for _, p := range was {
		require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	eventually(t, "restarted", restarted(second, was))
	onCoresOf(t, second, "web", a, b)
	_, out := act(t, second, proposal("restart", "web", nil)) // new pods
	require.Equal(t, engine.Done, out.Status)
	onCoresOf(t, second, "web", swapped...)
}

// A step of a workflow has the cores of the node that it was given.
func TestStepsRunOnTheirNodesCores(t *testing.T) {
	a, b := twoNodes(t)
	o := openOn(t, t.TempDir(), a, b)
	out := filepath.Join(t.TempDir(), "cores")
	reload(t, o, retrain("grep Cpus_allowed_list /proc/self/status >"+out+"; "+good, ""))
	for _, n := range []Node{a, b} {
		p := onRetrain(withData("nodeSelector", map[string]any{"kubernetes.io/hostname": n.Name}))
		p.Identity = n.Name + "-1234567890"
		_, end := act(t, o, p)
		require.Equal(t, engine.Done, end.Status, end.Detail)
		raw, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, n.Cores.String(), strings.Fields(string(raw))[1])
	}
}
