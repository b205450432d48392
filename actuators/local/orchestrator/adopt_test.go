package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
)

func TestAdoptsAfterDetach(t *testing.T) {
	dir := t.TempDir()
	yaml := testlocal.Web("web", 2) + testlocal.Web("backup", 1) + testlocal.RouteOver("web", 100, "backup", 0)
	first := testlocal.Open(t, dir)
	testlocal.Reload(t, first, yaml)
	testlocal.WaitReady(t, first, "web", "backup")
	scale(t, first, "web", 3)
	require.NoError(t, first.SetWeights(named("models"), map[string]int{"web": 0, "backup": 1}))
	require.NoError(t, first.Restart(named("backup"), "change-1"))
	waitComplete(t, first, "backup")
	was, backup := testlocal.Processes(t, dir, "web"), testlocal.Processes(t, dir, "backup")

	_, err := orchestrator.New(orchestrator.Options{StateDir: dir})
	require.ErrorIs(t, err, orchestrator.ErrStateInUse)
	testlocal.Shut(t, first, orchestrator.Detach)
	for _, p := range was {
		require.True(t, pod.Alive(p.PID, p.StartID))
	}

	second := testlocal.Open(t, dir)
	testlocal.Reload(t, second, yaml)
	testlocal.WaitReady(t, second, "web", "backup")
	require.Equal(t, was, testlocal.Processes(t, dir, "web"), "the very same processes")
	require.Equal(t, backup, testlocal.Processes(t, dir, "backup"), "no second restart")
	require.Equal(t, 3, testlocal.Workload(t, second, "web").Desired, "scale survives")
	_, body, err := testlocal.Get(testlocal.Address(t, second, "HTTPRoute", "models"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(body, "backup-"), "weights survive: %s", body)
	restarted, err := second.Deployment(named("backup"))
	require.NoError(t, err)
	require.Equal(t, "change-1", restarted.Restart, "the restart is remembered")

	// A change of the YAML replaces the override, for good.
	testlocal.Reload(t, second, strings.ReplaceAll(yaml, "replicas: 2", "replicas: 1"))
	require.Equal(t, 1, testlocal.Workload(t, second, "web").Desired)
	testlocal.Reload(t, second, yaml)
	require.Equal(t, 2, testlocal.Workload(t, second, "web").Desired)

	// An adopted pod is stopped like any other.
	scale(t, second, "web", 0)
	testlocal.Eventually(t, "gone", func() bool { return len(testlocal.Processes(t, dir, "web")) == 0 })
	for _, p := range was {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
}

func TestAdoptsAfterTheDaemonIsKilled(t *testing.T) {
	dir := t.TempDir()
	file := testlocal.Write(t, testlocal.Web("web", 3))
	cmd := testlocal.Daemon(t, dir, file)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	require.NoError(t, cmd.Start())
	records := awaitProcesses(t, dir, 3)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Empty(t, complaint.String())

	// One pod has died meanwhile. The PID of another was not recorded, as when the daemon is
	// killed right after it started the process.
	require.NoError(t, syscall.Kill(records[0].PID, syscall.SIGKILL))
	testlocal.Eventually(t, "dead", func() bool { return !pod.Alive(records[0].PID, records[0].StartID) })
	unwritten := filepath.Join(dir, "pods", "test_"+records[1].Name+".json")
	raw, err := os.ReadFile(unwritten)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	delete(fields, "pid")
	delete(fields, "startID")
	raw, err = json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(unwritten, raw, 0o600))
	// Something else has written half a record.
	bad := filepath.Join(dir, "pods", "test_broken.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"pid": 1`), 0o600))

	o := testlocal.Open(t, dir)
	require.NoError(t, testlocal.ReadAndApply(t.Context(), o, file))
	testlocal.WaitReady(t, o, "web")
	now := testlocal.Processes(t, dir, "web")
	require.Len(t, now, 3)
	require.NotContains(t, now, records[0].Name, "the dead one is replaced")
	for _, r := range records[1:] {
		require.Equal(t, r, now[r.Name], "the living are adopted")
	}
	require.FileExists(t, bad+".bad")

	// The end of a process that is not a child is noticed too.
	require.NoError(t, syscall.Kill(records[2].PID, syscall.SIGKILL))
	testlocal.Eventually(t, "restarted", func() bool { w := testlocal.Workload(t, o, "web"); return w.Restarts == 1 && w.Ready == 3 })
}

// awaitProcesses waits until so many pods of the Deployment web have a process.
func awaitProcesses(t *testing.T, dir string, n int) (out []testlocal.Process) {
	t.Helper()
	testlocal.Eventually(t, "the daemon's pods run", func() bool {
		out = nil
		for _, p := range testlocal.Processes(t, dir, "web") {
			if p.PID != 0 {
				out = append(out, p)
			}
		}
		return len(out) == n
	})
	return out
}

func TestKillWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // documented: only the kernel of Linux can do it
	}
	dir := t.TempDir()
	cmd := testlocal.Daemon(t, dir, testlocal.Write(t, testlocal.Web("web", 2)), testlocal.DaemonKills)
	require.NoError(t, cmd.Start())
	records := awaitProcesses(t, dir, 2)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	testlocal.Eventually(t, "they die with it", func() bool {
		return !pod.Alive(records[0].PID, records[0].StartID) && !pod.Alive(records[1].PID, records[1].StartID)
	})
}

func TestNoGoroutineIsLeft(t *testing.T) {
	// Connections that earlier tests left idle in the default client would count.
	idle := func() int {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine()
	}
	before := idle()
	for _, how := range []orchestrator.Ending{orchestrator.Detach, orchestrator.StopAll} {
		dir := t.TempDir()
		o := testlocal.Open(t, dir)
		testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("dying", 1, "EXIT=1")+testlocal.RouteOver("web", 1, "dying", 1))
		testlocal.WaitReady(t, o, "web")
		_, _, err := testlocal.Get(testlocal.Address(t, o, "Service", "web"))
		require.NoError(t, err)
		scale(t, o, "web", 1)
		testlocal.Shut(t, o, how)
		ok := func() bool { return idle() <= before }
		if !within(testlocal.Patience, ok) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		if how == orchestrator.Detach { // the next one stops its pods, even without an Apply
			records := testlocal.Processes(t, dir, "web")
			require.NotEmpty(t, records)
			testlocal.Shut(t, testlocal.Open(t, dir), orchestrator.StopAll)
			for _, r := range records {
				require.False(t, pod.Alive(r.PID, r.StartID))
			}
		}
	}
}

// within is require.Eventually without its goroutines, which would count.
func within(d time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}
