package pod

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestStartedFollowsTheStartupProbe(t *testing.T) {
	cfg, h := config(t, "SLOW_START", "300ms")
	cfg.Spec.Containers[0].StartupProbe = httpProbe("/healthz")
	cfg.Spec.Containers[0].StartupProbe.FailureThreshold = 20
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	require.True(t, p.Status().Started)
	require.True(t, h.any(func(s Status) bool { return s.PID != 0 && !s.Started }))
	stop(t, p)
	require.False(t, p.Status().Started)

	plain, h := config(t)
	p = run(t, plain)
	eventually(t, "ready", ready(p))
	require.False(t, h.any(func(s Status) bool { return s.PID != 0 && !s.Started && s.Reason == "" }), "without a startup probe it is started as soon as it runs")
}

func TestFieldsOfAPodInACluster(t *testing.T) {
	cfg, _ := config(t)
	cfg.HostIP = "127.0.0.9"
	cfg.Spec.ServiceAccountName = "reader"
	fields := map[string]string{
		"status.hostIP": "127.0.0.9", "status.hostIPs": "127.0.0.9", "status.podIP": "127.0.0.1", "status.podIPs": "127.0.0.1", "spec.serviceAccountName": "reader",
	}
	for path := range fields {
		cfg.Spec.Containers[0].Env = append(cfg.Spec.Containers[0].Env, corev1.EnvVar{
			Name: path, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}},
		})
	}
	p := run(t, cfg)
	eventually(t, "ready", ready(p))
	for path, want := range fields {
		require.Equal(t, want, get(t, p, "/env?name="+path), path)
	}
}
