package orchestrator_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestPodsOfATarget(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("none", 0))
	testlocal.WaitReady(t, o, "web")
	podsOf := func(lists bool, name string) []engine.TargetPod {
		f, err := o.Fleet(engine.Selector{Kind: "Deployment", Pods: lists})
		require.NoError(t, err)
		targets, err := f.Targets(t.Context())
		require.NoError(t, err)
		for _, target := range targets {
			if target.Name == name {
				return target.Pods
			}
		}
		t.Fatalf("no target %s", name)
		return nil
	}
	require.Nil(t, podsOf(false, "web"), "nobody asked for them")
	require.Equal(t, []engine.TargetPod{}, podsOf(true, "none"))
	before := podsOf(true, "web")
	require.Len(t, before, 2)
	require.Less(t, before[0].Name, before[1].Name)
	for _, p := range before {
		require.True(t, p.Ready)
		require.Zero(t, p.Restarts)
		require.Positive(t, p.StartedNS)
		require.GreaterOrEqual(t, p.ReadySinceNS, p.StartedNS)
	}
	require.Equal(t, before, podsOf(true, "web"), "a pod that does not change looks the same")

	// A process that is started again is the same pod, ready since later.
	require.NoError(t, syscall.Kill(testlocal.Processes(t, dir, "web")[before[0].Name].PID, syscall.SIGKILL))
	testlocal.Eventually(t, "it runs again", func() bool { p := podsOf(true, "web")[0]; return p.Restarts == 1 && p.Ready })
	after := podsOf(true, "web")[0]
	require.Equal(t, before[0].StartedNS, after.StartedNS)
	require.Greater(t, after.ReadySinceNS, before[0].ReadySinceNS)
	require.Equal(t, before[1], podsOf(true, "web")[1])

	// The next orchestrator adopts the pods: they are as old as they were.
	testlocal.Shut(t, o, orchestrator.Detach)
	o = testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("none", 0))
	testlocal.WaitReady(t, o, "web")
	for i, p := range podsOf(true, "web") {
		require.Equal(t, before[i].Name, p.Name)
		require.Equal(t, before[i].StartedNS, p.StartedNS)
	}
	for _, kind := range []string{"WorkflowTemplate", "CronJob"} {
		_, err := o.Fleet(engine.Selector{Kind: kind, Pods: true})
		require.ErrorContains(t, err, "pods: a "+kind+" has no pods of its own; leave pods out, or select Deployments")
	}
}
