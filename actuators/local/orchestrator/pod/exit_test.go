package pod

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// once returns a pod that runs a script once and records its exit status.
func once(t *testing.T, script string) (Config, *history) {
	t.Helper()
	cfg, h := config(t)
	cfg.ExitPath = filepath.Join(t.TempDir(), "exit")
	cfg.Spec.RestartPolicy = corev1.RestartPolicyNever
	cfg.Spec.Containers = []corev1.Container{{Command: []string{"sh", "-c", script}}}
	return cfg, h
}

func TestTheExitStatusIsRecorded(t *testing.T) {
	cfg, _ := once(t, "exit 5")
	p := run(t, cfg)
	<-p.Done()
	require.Equal(t, corev1.PodFailed, p.Status().Phase)
	require.Equal(t, 5, p.Status().LastExit.Code)
	require.Equal(t, 5, readExit(cfg.ExitPath).Code)

	// Adopt reads the recorded status, and doesn't restart the pod.
	adopted, err := Adopt(cfg, Handle{PID: 1 << 22, StartID: "of another boot"})
	require.NoError(t, err)
	<-adopted.Done()
	require.Equal(t, corev1.PodFailed, adopted.Status().Phase)
	require.Equal(t, 5, adopted.Status().LastExit.Code)

	require.NoError(t, os.Remove(cfg.ExitPath))
	adopted, err = Adopt(cfg, Handle{PID: 1 << 22, StartID: "of another boot"})
	require.NoError(t, err)
	<-adopted.Done()
	require.Equal(t, -1, adopted.Status().LastExit.Code, "nobody knows")
}

// The recorder waits for a command that handles SIGTERM.
func TestTheExitStatusIsRecordedWhenTheCommandIsStopped(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	cfg, _ := once(t, "trap 'exit 9' TERM; touch "+ready+"; while :; do sleep 0.01; done")
	p := run(t, cfg)
	eventually(t, "it runs", func() bool { _, err := os.Stat(ready); return err == nil })
	stop(t, p)
	require.Equal(t, 9, p.Status().LastExit.Code)
	require.Equal(t, 9, readExit(cfg.ExitPath).Code)
}

func TestACommandThatCantBeStarted(t *testing.T) {
	cfg, _ := once(t, "")
	cfg.Spec.Containers[0].Command = []string{"no-such-program"}
	p := run(t, cfg)
	<-p.Done()
	require.Equal(t, corev1.PodFailed, p.Status().Phase)
	require.Contains(t, p.Status().Message, "start no-such-program")
	require.Nil(t, p.Status().LastExit)
}

func TestInvalidExitStatus(t *testing.T) {
	file := filepath.Join(t.TempDir(), "exit")
	for text, want := range map[string]int{"0\n": 0, "137\n": 137, "": -1, "1": -1, "one\n": -1} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.Equal(t, want, readExit(file).Code, text)
	}
	require.Equal(t, -1, readExit(file+".absent").Code)
}
