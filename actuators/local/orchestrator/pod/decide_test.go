package pod

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func TestBackOff(t *testing.T) {
	b := restartBackOff{base: 10 * time.Second}
	var got []time.Duration
	for range 8 {
		got = append(got, b.next(time.Second))
	}
	s := time.Second
	require.Equal(t, []time.Duration{0, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s}, got)
	require.Zero(t, b.next(10*time.Minute), "a long run clears it")
	require.Equal(t, 10*s, b.next(10*time.Minute-1))
	for range 1000 {
		b.next(0)
	}
	require.Equal(t, maxBackOff, b.next(0), "no overflow")
}

func TestThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		success, failure int
		answers, settled string // g good, b bad; S settled, . not
	}{
		"one of each":     {1, 1, "gbgb", "SSSS"},
		"three failures":  {1, 3, "gbbgbbb", "S..S..S"},
		"two successes":   {2, 1, "gbggg", ".S.SS"},
		"bad from the go": {1, 2, "bbb", ".SS"},
	} {
		t.Run(name, func(t *testing.T) {
			th := threshold{success: c.success, failure: c.failure}
			var got strings.Builder
			for _, a := range c.answers {
				if th.add(a == 'g') {
					got.WriteByte('S')
				} else {
					got.WriteByte('.')
				}
			}
			require.Equal(t, c.settled, got.String())
		})
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "1", "B": "$(A)", "": "empty"}[name]
		return v, ok
	}
	for in, want := range map[string]string{
		"":            "",
		"plain":       "plain",
		"$(A)":        "1",
		"x$(A)y$(A)z": "x1y1z",
		"$(B)":        "$(A)", // what is put in is not looked at again
		"$(NONE)":     "$(NONE)",
		"$$(A)":       "$(A)",
		"$$$(A)":      "$1",
		"$A":          "$A",
		"$":           "$",
		"$(A":         "$(A",
		"100$":        "100$",
	} {
		require.Equal(t, want, expand(in, lookup), in)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("a $(A) $$(A) $(")
	f.Fuzz(func(t *testing.T, in string) {
		got := expand(in, func(string) (string, bool) { return "", false })
		if !strings.Contains(in, "$$") {
			require.Equal(t, in, got, "what names nothing stays as it is")
		}
	})
}

func TestCheckNamesEveryMistake(t *testing.T) {
	negative := int64(-1)
	spec := corev1.PodSpec{
		InitContainers:                []corev1.Container{{Name: "first"}},
		TerminationGracePeriodSeconds: &negative,
		Containers: []corev1.Container{{
			EnvFrom: []corev1.EnvFromSource{{}},
			Ports: []corev1.ContainerPort{
				{Name: "http", ContainerPort: 80}, {Name: "http", ContainerPort: 80}, {Name: "Not_One", ContainerPort: 70000, Protocol: "UDP"},
			},
			Env: []corev1.EnvVar{
				{Name: "A=B"}, {Name: UIDVariable},
				{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}},
				{Name: "F", Value: "x", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.phase"}}},
			},
			StartupProbe:   &corev1.Probe{SuccessThreshold: 2, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{}}},
			ReadinessProbe: &corev1.Probe{PeriodSeconds: -1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "h", Scheme: "FTP", Port: intstr.FromInt32(9)}}},
			LivenessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{}}},
			Lifecycle: &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{}, PreStop: &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{}},
			},
		}},
	}
	var got []string
	for _, p := range Check(&spec) {
		got = append(got, p.Path)
	}
	slices.Sort(got)
	c := "containers[0]."
	require.Equal(t, []string{
		c + "command", c + "envFrom", c + "env[0].name", c + "env[1].name", c + "env[2].valueFrom", c + "env[3].valueFrom", c + "env[3].valueFrom",
		c + "lifecycle.postStart", c + "lifecycle.preStop", c + "lifecycle.preStop.tcpSocket", c + "livenessProbe",
		c + "ports[1].containerPort", c + "ports[1].name", c + "ports[2].containerPort", c + "ports[2].name", c + "ports[2].protocol",
		c + "readinessProbe.httpGet.host", c + "readinessProbe.httpGet.port", c + "readinessProbe.httpGet.scheme", c + "readinessProbe.periodSeconds",
		c + "startupProbe.exec.command", c + "startupProbe.successThreshold",
		"initContainers", "terminationGracePeriodSeconds",
	}, got)

	_, err := Start(Config{Namespace: "ns", Name: "p", Spec: spec})
	require.ErrorAs(t, err, new(mistake.Mistakes))
	require.ErrorContains(t, err, "run pod ns/p: ")
}
