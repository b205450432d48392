package orchestrator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
)

// A pod that crashes is restarted under its name in another process. The others are left
// alone.
func TestACrashedPodComesBack(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 2))
	testlocal.WaitReady(t, o, "web")
	before, running := testlocal.Workload(t, o, "web"), testlocal.Processes(t, dir, "web")
	name := before.Pods[0].Name

	pid, err := o.CrashPod("test", name)
	require.NoError(t, err)
	require.Equal(t, running[name].PID, pid)
	for {
		changed := o.Changed()
		if w := testlocal.Workload(t, o, "web"); w.Restarts == before.Restarts+1 && w.Ready == 2 {
			break
		}
		<-changed
	}
	now := testlocal.Processes(t, dir, "web")
	require.Len(t, now, 2)
	for pod, was := range running {
		require.Equal(t, pod == name, now[pod].PID != was.PID, pod)
	}

	_, err = o.CrashPod("test", "absent")
	require.EqualError(t, err, "crash pod test/absent: there is no such pod, or it has no process yet")
	_, err = (&pod.Pod{}).Crash()
	require.ErrorIs(t, err, pod.ErrNotRunning)
}
