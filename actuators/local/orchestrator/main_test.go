package orchestrator_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
)

func TestMain(m *testing.M) { testlocal.Main(m, nil) }

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "test", Name: name}
}

// scale waits until the rollout is complete.
func scale(t *testing.T, o *orchestrator.Orchestrator, name string, n int) {
	t.Helper()
	require.NoError(t, o.SetReplicas(named(name), n))
	waitComplete(t, o, name)
}

func waitComplete(t *testing.T, o *orchestrator.Orchestrator, name string) {
	t.Helper()
	for {
		changed := o.Changed()
		if d, err := o.Deployment(named(name)); err != nil || d.Complete() {
			require.NoError(t, err)
			return
		}
		<-changed
	}
}
