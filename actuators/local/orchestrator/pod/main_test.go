package pod

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
)

func TestMain(m *testing.M) {
	if os.Getenv(testpod.Role) != "" {
		testpod.Main()
	}
	os.Exit(m.Run())
}

const soon = 10 * time.Second

// history keeps every status that a pod reports.
type history struct {
	mu  sync.Mutex
	all []Status
}

func (h *history) add(s Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, s)
}

func (h *history) any(want func(Status) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.all {
		if want(s) {
			return true
		}
	}
	return false
}

func env(pairs ...string) []corev1.EnvVar {
	// A binary built with the race detector would sleep for a second at its end.
	out := []corev1.EnvVar{{Name: testpod.Role, Value: "1"}, {Name: "GORACE", Value: "atexit_sleep_ms=0"}}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func httpProbe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}},
		PeriodSeconds: 1, FailureThreshold: 1,
	}
}

// config returns a pod that runs the test server.
func config(t *testing.T, vars ...string) (Config, *history) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	grace := int64(5)
	h := &history{}
	return Config{
		Namespace: "ns", Name: "web-1", Node: "node-a", UID: t.Name(), Labels: map[string]string{"app": "web"},
		Self: self, LogPath: filepath.Join(t.TempDir(), "pod.log"), Ports: &PortAllocator{},
		BackOff: 20 * time.Millisecond, InitialProbePeriod: 10 * time.Millisecond, OnChange: h.add,
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Command: []string{"scanflow"}, Env: env(vars...),
				Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: httpProbe("/healthz"),
			}},
		},
	}, h
}

func run(t *testing.T, cfg Config) *Pod {
	t.Helper()
	p, err := Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		_ = p.Stop(ctx)
	})
	return p
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, soon, 5*time.Millisecond, what)
}

func get(t *testing.T, p *Pod, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + p.address(intstr.FromString("http")) + path)
	if err != nil {
		return "" // the server may end while it answers
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func ready(p *Pod) func() bool { return func() bool { return p.Status().Ready } }

func stop(t *testing.T, p *Pod) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	require.NoError(t, p.Stop(ctx))
}
