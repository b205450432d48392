package pod

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestRunsUntilStopped(t *testing.T) {
	cfg, _ := config(t, "GREETING", "port $(PORT_HTTP) of $(NODE)", "LITERAL", "$$(PORT)")
	c := &cfg.Spec.Containers[0]
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	c.Env = append([]corev1.EnvVar{{Name: "NODE", ValueFrom: field("spec.nodeName")}}, c.Env...)
	c.Env = append(c.Env, corev1.EnvVar{Name: "APP", ValueFrom: field("metadata.labels['app']")}, corev1.EnvVar{Name: "IP", ValueFrom: field("status.podIP")})
	t.Setenv("SOME_SECRET", "of the daemon")
	p := run(t, cfg)
	eventually(t, "ready", ready(p))

	s := p.Status()
	require.Equal(t, corev1.PodRunning, s.Phase)
	require.Len(t, s.Ports, 1)
	port := strconv.Itoa(s.Ports[0].Host)
	require.Equal(t, "web-1", get(t, p, "/"))
	for name, want := range map[string]string{
		"PORT": port, "PORT_HTTP": port, "GREETING": "port " + port + " of node-a", "LITERAL": "$(PORT)",
		"APP": "web", "IP": "127.0.0.1", "HOSTNAME": "web-1", "SOME_SECRET": "",
	} {
		require.Equal(t, want, get(t, p, "/env?name="+name), name)
	}
	log, err := os.ReadFile(cfg.LogPath)
	require.NoError(t, err)
	require.Contains(t, string(log), "listening on 127.0.0.1:"+port)

	stop(t, p)
	require.False(t, Alive(s.PID, s.StartID))
	require.Equal(t, corev1.PodSucceeded, p.Status().Phase)
	require.Zero(t, p.Status().Restarts)
}

func TestRestartPolicy(t *testing.T) {
	for _, c := range []struct {
		policy corev1.RestartPolicy
		exit   string
		phase  corev1.PodPhase // "" goes on for ever
	}{
		{corev1.RestartPolicyNever, "0", corev1.PodSucceeded},
		{corev1.RestartPolicyNever, "7", corev1.PodFailed},
		{corev1.RestartPolicyOnFailure, "0", corev1.PodSucceeded},
		{corev1.RestartPolicyOnFailure, "7", ""},
		{corev1.RestartPolicyAlways, "0", ""},
	} {
		t.Run(string(c.policy)+c.exit, func(t *testing.T) {
			cfg, h := config(t, "EXIT", c.exit)
			cfg.Spec.RestartPolicy = c.policy
			p := run(t, cfg)
			if c.phase == "" {
				eventually(t, "restarted twice", func() bool { return p.Status().Restarts >= 2 })
				require.True(t, h.any(func(s Status) bool { return s.Reason == "CrashLoopBackOff" }))
				return
			}
			select {
			case <-p.Done():
			case <-time.After(soon):
				t.Fatal("the pod has not ended")
			}
			require.Equal(t, c.phase, p.Status().Phase)
			require.Equal(t, c.exit, strconv.Itoa(p.Status().LastExit.Code))
		})
	}
}

func TestCommandThatCannotStartIsReportedAndRetried(t *testing.T) {
	cfg, h := config(t)
	cfg.Spec.Containers[0].Command = []string{"no-such-program-anywhere"}
	p := run(t, cfg)
	eventually(t, "retried", func() bool { return p.Status().Restarts >= 2 })
	require.True(t, h.any(func(s Status) bool { return s.Reason == "StartError" }))
	require.Contains(t, p.Status().Message, "no-such-program-anywhere")
}

func TestGraceThenKill(t *testing.T) {
	reported := filepath.Join(t.TempDir(), "told")
	cfg, _ := config(t, "IGNORE_TERM", "1", "ON_TERM", reported)
	grace := int64(1)
	cfg.Spec.TerminationGracePeriodSeconds = &grace
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	began := time.Now()
	stop(t, p)
	require.GreaterOrEqual(t, time.Since(began), time.Second, "killed before its grace had passed")
	require.Equal(t, "killed", p.Status().LastExit.Signal)
	require.FileExists(t, reported, "SIGTERM must come first")
}

func TestStopDeadlineKills(t *testing.T) {
	cfg, _ := config(t, "IGNORE_TERM", "1")
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	require.NoError(t, p.Stop(ctx))
	require.Less(t, time.Since(began), 4*time.Second, "the grace period of 5 s was waited for")
	require.Equal(t, "killed", p.Status().LastExit.Signal)
}

func TestTheProcessGroupEndsWithItsLeader(t *testing.T) {
	cfg, _ := config(t, "SPAWN", "1")
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	log, err := os.ReadFile(cfg.LogPath)
	require.NoError(t, err)
	found := regexp.MustCompile(`spawned (\d+)`).FindSubmatch(log)
	require.NotNil(t, found)
	child, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	id, err := startID(child)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(p.Status().PID, syscall.SIGKILL)) // the leader alone
	eventually(t, "the child is gone", func() bool { return !Alive(child, id) })
}

func TestLivenessFailureRestarts(t *testing.T) {
	cfg, h := config(t)
	cfg.Spec.Containers[0].LivenessProbe = httpProbe("/healthz")
	cfg.Spec.Containers[0].LivenessProbe.FailureThreshold = 2 // the first comes before the server listens
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	first := p.Status().PID
	get(t, p, "/sicken")
	eventually(t, "restarted and ready", func() bool { s := p.Status(); return s.Ready && s.PID != first })
	require.Equal(t, 1, p.Status().Restarts)
	require.True(t, h.any(func(s Status) bool { return s.Message == "liveness probe: /healthz answered 500 Internal Server Error" }))
}

func TestStartupProbe(t *testing.T) {
	t.Run("holds the others back", func(t *testing.T) {
		cfg, h := config(t, "SLOW_START", "300ms")
		c := &cfg.Spec.Containers[0]
		c.StartupProbe = httpProbe("/healthz")
		c.StartupProbe.FailureThreshold = 20
		c.LivenessProbe = httpProbe("/healthz") // would kill it at its first failure
		p := run(t, cfg)
		eventually(t, "ready", ready(p))
		require.Zero(t, p.Status().Restarts)
		require.False(t, h.any(func(s Status) bool { return s.LastExit != nil }))
	})
	t.Run("gives up", func(t *testing.T) {
		cfg, _ := config(t, "SLOW_START", "1h")
		cfg.Spec.Containers[0].StartupProbe = httpProbe("/healthz")
		p := run(t, cfg)
		eventually(t, "restarted", func() bool { return p.Status().Restarts > 0 })
	})
}

func TestProbeKinds(t *testing.T) {
	for name, c := range map[string]struct {
		probe corev1.ProbeHandler
		ready bool
	}{
		"tcp":       {corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}, true},
		"exec":      {corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", `test -n "$PORT"`}}}, true},
		"exec fail": {corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"false"}}}, false},
		"exec hang": {corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sleep", "600"}}}, false},
		"http":      {corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "healthz", Port: intstr.FromInt32(8080)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, h := config(t)
			cfg.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: c.probe, FailureThreshold: 1}
			p := run(t, cfg)
			if c.ready {
				eventually(t, "ready", ready(p))
				return
			}
			eventually(t, "told why", func() bool { return p.Status().Message != "" })
			require.False(t, h.any(func(s Status) bool { return s.Ready }))
			require.Contains(t, p.Status().Message, "readiness probe: ")
		})
	}
}

func TestPreStopRunsBeforeTerm(t *testing.T) {
	dir := t.TempDir()
	reported, hook := filepath.Join(dir, "told"), filepath.Join(dir, "hook")
	cfg, _ := config(t, "ON_TERM", reported)
	cfg.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "test ! -e " + reported + " && touch " + hook}},
	}}
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	stop(t, p)
	require.FileExists(t, hook)
	require.FileExists(t, reported)
}

func TestDetachAndAdopt(t *testing.T) {
	cfg, _ := config(t)
	first := run(t, cfg)
	eventually(t, "ready", ready(first))
	s := first.Status()
	first.Detach()
	require.ErrorIs(t, first.Stop(context.Background()), ErrDetached)
	require.True(t, Alive(s.PID, s.StartID))

	second, err := Adopt(cfg, Handle{PID: s.PID, StartID: s.StartID, StartedAt: s.StartedAt, Ports: s.Ports, Restarts: 2})
	require.NoError(t, err)
	eventually(t, "ready again", ready(second))
	require.Equal(t, s.PID, second.Status().PID)
	require.NoError(t, syscall.Kill(s.PID, syscall.SIGKILL))
	eventually(t, "its death is seen and it is restarted", func() bool {
		now := second.Status()
		return now.Ready && now.PID != s.PID && now.Restarts == 3
	})
	require.Equal(t, s.Ports, second.Status().Ports, "free ports are kept over a restart")
	stop(t, second)
}

func TestAdoptRestartsAnEndedProcess(t *testing.T) {
	cfg, _ := config(t)
	// A running process with the same PID that is not the pod: this one.
	p, err := Adopt(cfg, Handle{PID: os.Getpid(), StartID: "another"})
	require.NoError(t, err)
	eventually(t, "ready", ready(p))
	require.Equal(t, 1, p.Status().Restarts)
	stop(t, p)
}

func TestAPortInUseIsReplaced(t *testing.T) {
	cfg, _ := config(t)
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	before := p.Status()
	// Another listener takes the port between the end of the process and its restart.
	cfg.Ports.mu.Lock()
	require.NoError(t, syscall.Kill(before.PID, syscall.SIGKILL))
	var err error
	eventually(t, "port is free", func() bool { _, err = tryPort(defaultIP, before.Ports[0].Host); return err == nil })
	delete(cfg.Ports.allocated, before.Ports[0].Host)
	other := run(t, func() Config {
		c, _ := config(t)
		c.UID, c.Ports = "other", nil
		c.Spec.Containers[0].Ports[0].ContainerPort = int32(before.Ports[0].Host)
		return c
	}())
	eventually(t, "the stranger has it", ready(other))
	cfg.Ports.mu.Unlock()
	eventually(t, "ready on another port", func() bool {
		s := p.Status()
		return s.Ready && s.Ports[0].Host != before.Ports[0].Host
	})
}

func TestProcessesByUID(t *testing.T) {
	cfg, _ := config(t)
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	found := ProcessesByUID()[cfg.UID]
	require.Len(t, found, 1)
	require.Equal(t, p.Status().PID, found[0].PID)
	require.Equal(t, p.Status().StartID, found[0].StartID)
}
