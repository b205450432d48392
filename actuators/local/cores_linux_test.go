package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

// twoNodes returns nodes a and b, each with a core of its own if the machine has two.
func twoNodes(t *testing.T) (a, b orchestrator.Node) {
	t.Helper()
	have, err := pod.UsableCores()
	require.NoError(t, err)
	return orchestrator.Node{Name: "a", Cores: have[:1]}, orchestrator.Node{Name: "b", Cores: have[len(have)-1:]}
}

// A step of a workflow runs on the cores of its node.
func TestStepsRunOnTheirNodesCores(t *testing.T) {
	a, b := twoNodes(t)
	o := testlocal.OpenOn(t, t.TempDir(), a, b)
	out := filepath.Join(t.TempDir(), "cores")
	testlocal.Reload(t, o, testlocal.Retrain("grep Cpus_allowed_list /proc/self/status >"+out+"; "+testlocal.Good, ""))
	for _, n := range []orchestrator.Node{a, b} {
		p := onRetrain(withData("nodeSelector", map[string]any{"kubernetes.io/hostname": n.Name}))
		p.Identity = n.Name + "-1234567890"
		_, end := act(t, o, p)
		require.Equal(t, engine.Done, end.Status, end.Detail)
		raw, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, n.Cores.String(), strings.Fields(string(raw))[1])
	}
}
