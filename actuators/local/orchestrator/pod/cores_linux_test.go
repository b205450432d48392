package pod

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
)

func usable(t *testing.T) Cores {
	t.Helper()
	cores, err := UsableCores()
	require.NoError(t, err)
	return cores
}

func TestCoresCheck(t *testing.T) {
	have := usable(t)
	beyond := have[len(have)-1] + 1
	require.NoError(t, Cores(nil).Check())
	require.NoError(t, have.Check())
	require.ErrorContains(t, Cores{beyond}.Check(), "choose of "+have.String())
	require.ErrorContains(t, Cores{have[0], have[0]}.Check(), "is named twice")
	both := Cores{have[0], have[0], beyond}.Check()
	require.ErrorContains(t, both, "is named twice")
	require.ErrorContains(t, both, "not this machine's")
}

// All threads of a pod have exactly its cores, also after a restart, and the threads of
// this process keep theirs.
func TestAPodRunsOnItsCores(t *testing.T) {
	own := Cores{usable(t)[0]}
	cfg, _ := config(t)
	cfg.Cores = own
	var stop atomic.Bool
	var load sync.WaitGroup
	for range 4 { // has the runtime start threads of its own meanwhile
		load.Go(func() {
			for !stop.Load() {
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e5}, nil)
			}
		})
	}
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	first := p.Status()
	testpod.OnCores(t, first.PID, own.String())

	require.NoError(t, syscall.Kill(first.PID, syscall.SIGKILL))
	eventually(t, "restarted", func() bool { s := p.Status(); return s.Ready && s.PID != first.PID })
	testpod.OnCores(t, p.Status().PID, own.String())
	stop.Store(true)
	load.Wait()
	testpod.OnCores(t, os.Getpid(), usable(t).String())
}

// Pods that start concurrently get their own cores.
func TestPodsThatStartAtOnceKeepTheirCores(t *testing.T) {
	have := usable(t)
	var starts sync.WaitGroup
	for i := range 24 {
		starts.Go(func() {
			var own Cores
			if i%3 > 0 {
				own = Cores{have[i%len(have)]}
			}
			cmd := exec.Command("sleep", "60")
			if !assertStart(t, own, cmd) {
				return
			}
			want := own
			if own == nil {
				want = have
			}
			testpod.OnCores(t, cmd.Process.Pid, want.String())
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	starts.Wait()
	testpod.OnCores(t, os.Getpid(), have.String())
}

func assertStart(t *testing.T, cores Cores, cmd *exec.Cmd) bool {
	t.Helper()
	err := onCores(cores, cmd.Start)
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// The affinity is set before the program starts: the Go runtime reads it before main.
func TestCoresAreSetBeforeTheProgramStarts(t *testing.T) {
	if len(usable(t)) == runtime.NumCPU() && runtime.NumCPU() == 1 {
		t.Skip("one core alone shows nothing")
	}
	cfg, _ := config(t)
	cfg.Cores = Cores{usable(t)[0]}
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	require.Equal(t, "1", get(t, p, "/cpus"))
}

// The command of a probe runs on the pod's cores.
func TestAProbesCommandRunsOnThePodsCores(t *testing.T) {
	own := Cores{usable(t)[0]}
	cfg, _ := config(t)
	cfg.Cores = own
	file := t.TempDir() + "/status"
	cfg.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "grep Cpus_allowed_list /proc/self/status > " + file}}},
		PeriodSeconds: 1,
	}
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, own.String(), strings.Fields(string(raw))[1])
}

func TestUnusableCoresAreAStartError(t *testing.T) {
	cfg, h := config(t)
	have := usable(t)
	cfg.Cores = Cores{have[len(have)-1] + 1}
	run(t, cfg)
	eventually(t, "it says so", func() bool {
		return h.any(func(s Status) bool { return s.Reason == "StartError" && strings.Contains(s.Message, "choose of") })
	})
}
