package local

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestAdoptsAfterDetach(t *testing.T) {
	dir := t.TempDir()
	yaml := web("web", 2) + web("backup", 1) + routeOver("web", 100, "backup", 0)
	first := open(t, dir)
	reload(t, first, yaml)
	waitReady(t, first, "web", "backup")
	scale(t, first, "web", 3)
	_, out := act(t, first, proposal("traffic", "web", map[string]any{"route": "models", "weights": map[string]any{"backup": 1.0}}))
	require.Equal(t, engine.Done, out.Status)
	_, out = act(t, first, proposal("restart", "backup", nil))
	require.Equal(t, engine.Done, out.Status)
	was, backup := processes(first, "web"), processes(first, "backup")

	_, err := New(Options{StateDir: dir})
	require.ErrorIs(t, err, ErrStateInUse)
	shut(t, first, Detach)
	for _, p := range was {
		require.True(t, pod.Alive(p.PID, p.StartID))
	}

	second := open(t, dir)
	reload(t, second, yaml)
	waitReady(t, second, "web", "backup")
	require.Equal(t, was, processes(second, "web"), "the very same processes")
	require.Equal(t, backup, processes(second, "backup"), "no second restart")
	require.Equal(t, 3, workload(t, second, "web").Desired, "scale survives")
	_, body, err := get(address(t, second, "HTTPRoute", "models"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(body, "backup-"), "weights survive: %s", body)
	again, err := RestartActuator(second).Plan(t.Context(), proposal("restart", "backup", nil))
	require.NoError(t, err)
	require.True(t, again.NoOp, "the restart is remembered")

	// What the YAML newly says overrules, and for good.
	reload(t, second, strings.ReplaceAll(yaml, "replicas: 2", "replicas: 1"))
	require.Equal(t, 1, workload(t, second, "web").Desired)
	reload(t, second, yaml)
	require.Equal(t, 2, workload(t, second, "web").Desired)

	// An adopted pod is stopped like any other.
	_, out = scale(t, second, "web", 0)
	require.Equal(t, engine.Done, out.Status)
	eventually(t, "gone", func() bool { return len(processes(second, "web")) == 0 })
	for _, p := range was {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
}

func TestAdoptsAfterTheDaemonIsKilled(t *testing.T) {
	dir := t.TempDir()
	file := write(t, web("web", 3))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), daemonRole+"="+dir+" "+file)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	require.NoError(t, cmd.Start())
	var records []record
	eventually(t, "the daemon's pods run", func() bool {
		records, err = (&store{dir: dir}).loadPods()
		running := 0
		for _, r := range records {
			if r.PID != 0 {
				running++
			}
		}
		return err == nil && running == 3
	})
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Empty(t, complaint.String())

	// One pod has died meanwhile. Of another the number was never written down:
	// that is how it is if the daemon is killed right after it started the process.
	require.NoError(t, syscall.Kill(records[0].PID, syscall.SIGKILL))
	eventually(t, "dead", func() bool { return !pod.Alive(records[0].PID, records[0].StartID) })
	unwritten := records[1]
	unwritten.PID, unwritten.StartID = 0, ""
	require.NoError(t, (&store{dir: dir}).savePod(unwritten))
	// And a record was half written by something else than us.
	bad := filepath.Join(dir, "pods", "test_broken.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"pid": 1`), 0o600))

	o := open(t, dir)
	require.NoError(t, readAndApply(t.Context(), o, file))
	waitReady(t, o, "web")
	now := processes(o, "web")
	require.Len(t, now, 3)
	require.NotContains(t, now, records[0].Name, "the dead one is replaced")
	for _, r := range records[1:] {
		require.Equal(t, pod.Handle{PID: r.PID, StartID: r.StartID}, now[r.Name], "the living are adopted")
	}
	require.FileExists(t, bad+".bad")

	// The death of a process that is not our child is seen too.
	require.NoError(t, syscall.Kill(records[2].PID, syscall.SIGKILL))
	eventually(t, "restarted", func() bool { w := workload(t, o, "web"); return w.Restarts == 1 && w.Ready == 3 })
}

func TestKillWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // documented: only the kernel of Linux can do it
	}
	dir := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), daemonRole+"="+dir+" "+write(t, web("web", 2)), daemonKills+"=1")
	require.NoError(t, cmd.Start())
	var records []record
	eventually(t, "the daemon's pods run", func() bool {
		records, err = (&store{dir: dir}).loadPods()
		return err == nil && len(records) == 2 && records[0].PID != 0 && records[1].PID != 0
	})
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	eventually(t, "they die with it", func() bool {
		return !pod.Alive(records[0].PID, records[0].StartID) && !pod.Alive(records[1].PID, records[1].StartID)
	})
}

func TestNoGoroutineIsLeft(t *testing.T) {
	// Connections that earlier tests left idle in the default client would count.
	idle := func() int {
		closeIdle()
		return runtime.NumGoroutine()
	}
	before := idle()
	for _, how := range []Ending{Detach, StopAll} {
		dir := t.TempDir()
		o := open(t, dir)
		reload(t, o, web("web", 2)+web("dying", 1, "EXIT=1")+routeOver("web", 1, "dying", 1))
		waitReady(t, o, "web")
		_, _, err := get(address(t, o, "Service", "web"))
		require.NoError(t, err)
		scale(t, o, "web", 1)
		shut(t, o, how)
		ok := func() bool { return idle() <= before }
		if !within(soon, ok) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		if how == Detach { // the next one ends its pods, even if it is never told of workloads
			records, err := (&store{dir: dir}).loadPods()
			require.NoError(t, err)
			require.NotEmpty(t, records)
			shut(t, open(t, dir), StopAll)
			for _, r := range records {
				require.False(t, pod.Alive(r.PID, r.StartID))
			}
		}
	}
}

// within is like require.Eventually, whose own goroutines would count.
func within(d time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}
