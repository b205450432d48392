package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// daemonRole makes the test binary a daemon that runs the workloads of a file,
// until it is killed. Its value is "STATEDIR FILE".
const daemonRole = "SCANFLOW_TEST_DAEMON"

// daemonKills, set, has the daemon's pods die with it.
const daemonKills = "SCANFLOW_TEST_DAEMON_KILLS"

// daemonRuns, set, has the daemon run the workflow of that name.
const daemonRuns = "SCANFLOW_TEST_DAEMON_RUNS"

func TestMain(m *testing.M) {
	if os.Getenv(testpod.Role) != "" {
		testpod.Main()
	}
	if args := os.Getenv(daemonRole); args != "" {
		daemon(args)
	}
	os.Exit(m.Run())
}

func daemon(args string) {
	dir, file, _ := strings.Cut(args, " ")
	self, err := os.Executable()
	if err == nil {
		var o *Orchestrator
		o, err = New(Options{StateDir: dir, Self: self, RandomPorts: true, BackOff: 20 * time.Millisecond, KillWithParent: os.Getenv(daemonKills) != ""})
		if err == nil {
			err = readAndApply(context.Background(), o, file)
		}
		if err == nil && os.Getenv(daemonRuns) != "" {
			var change engine.Change
			if change, err = WorkflowRunActuator(o).Plan(context.Background(), onRetrain(withData())); err == nil {
				_, err = WorkflowRunActuator(o).Apply(context.Background(), change)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	forever := make(chan os.Signal, 1)
	signal.Notify(forever, syscall.SIGTERM)
	<-forever
}

const soon = 15 * time.Second

// web is a Deployment of the test server, with a Service. env is a YAML list's
// items, each on a line of its own.
func web(name string, replicas int, env ...string) string {
	var vars strings.Builder
	for _, e := range env {
		key, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&vars, "            - {name: %s, value: %q}\n", key, value)
	}
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  namespace: test
  labels: {tier: %[1]s, kind: web}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata:
      labels: {app: %[1]s}
      annotations: {scanflow.dev/model: "digits:3"}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: scanflow:latest
          command: [scanflow]
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: SCANFLOW_TEST_POD, value: "1"}
            - {name: GORACE, value: atexit_sleep_ms=0}
%[3]s          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: test}
spec:
  selector: {app: %[1]s}
  ports: [{port: 8080, targetPort: http}]
---
`, name, replicas, vars.String())
}

// routeOver is an HTTPRoute named models over two Services.
func routeOver(a string, weightA int, b string, weightB int) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: models, namespace: test}
spec:
  parentRefs: [{name: gateway, port: 8090}]
  rules:
    - backendRefs:
        - {name: %s, port: 8080, weight: %d}
        - {name: %s, port: 8080, weight: %d}
`, a, weightA, b, weightB)
}

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workloads.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// open starts an orchestrator; its end stops every pod and finds nothing left.
func open(t *testing.T, dir string) *Orchestrator {
	t.Helper()
	return openOn(t, dir, Node{Name: "a"}, Node{Name: "b"}, Node{Name: "c"})
}

func openOn(t *testing.T, dir string, nodes ...Node) *Orchestrator {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	o, err := New(Options{StateDir: dir, Self: self, RandomPorts: true, BackOff: 50 * time.Millisecond, Seed: 1, Nodes: nodes})
	require.NoError(t, err)
	t.Cleanup(func() {
		shut(t, o, StopAll)
		// What a failed test detached is nobody's any more.
		if rest, err := New(Options{StateDir: dir}); err == nil {
			shut(t, rest, StopAll)
		}
	})
	return o
}

func shut(t *testing.T, o *Orchestrator, how Ending) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	require.NoError(t, o.Close(ctx, how))
}

func reload(t *testing.T, o *Orchestrator, yaml string) {
	t.Helper()
	require.NoError(t, readAndApply(t.Context(), o, write(t, yaml)))
}

func waitReady(t *testing.T, o *Orchestrator, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for _, name := range names {
		require.NoError(t, o.WaitReady(ctx, "test", name))
	}
}

func address(t *testing.T, o *Orchestrator, kind, name string) string {
	t.Helper()
	at, ok := o.Address(kind, "test", name)
	require.True(t, ok)
	return "http://" + at
}

func get(url string) (status int, body string, err error) {
	resp, err := (&http.Client{Timeout: soon}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, soon, 5*time.Millisecond, what)
}

func workload(t *testing.T, o *Orchestrator, name string) engine.Workload {
	t.Helper()
	w, ok := o.Workload(engine.TargetID{Kind: "Deployment", Namespace: "test", Name: name})
	require.True(t, ok)
	return w
}

// processes are the process ids of a workload's pods, by pod, those leaving too.
func processes(o *Orchestrator, name string) map[string]pod.Handle {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]pod.Handle{}
	for _, r := range o.of(key{"test", name}) {
		out[r.rec.Name] = pod.Handle{PID: r.status.PID, StartID: r.status.StartID}
	}
	return out
}

func proposal(verb, name string, with map[string]any) engine.Proposal {
	return engine.Proposal{
		Primitive: verb, With: with, Identity: "change-1",
		Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "test", Name: name, Replicas: &engine.Replicas{Desired: 1}},
	}
}

// act plans, applies and verifies until the act is over.
func act(t *testing.T, o *Orchestrator, p engine.Proposal) (engine.Change, engine.Outcome) {
	t.Helper()
	a := actuatorOf(o, p.Primitive)
	c, err := a.Plan(t.Context(), p)
	require.NoError(t, err)
	if c.NoOp {
		return c, engine.Outcome{Status: engine.NoOp}
	}
	out, err := a.Apply(t.Context(), c)
	require.NoError(t, err)
	eventually(t, "the act ends", func() bool {
		if out.Status == engine.Running {
			out, err = a.(engine.Verifier).Verify(t.Context(), c)
			require.NoError(t, err)
		}
		return out.Status != engine.Running
	})
	return c, out
}

func scale(t *testing.T, o *Orchestrator, name string, n int) (engine.Change, engine.Outcome) {
	t.Helper()
	return act(t, o, proposal("scale", name, map[string]any{"replicas": float64(n)}))
}

func actuatorOf(o *Orchestrator, verb string) engine.Actuator {
	switch verb {
	case "scale":
		return ScaleActuator(o)
	case "traffic":
		return TrafficActuator(o)
	case "model.serve":
		return ModelServeActuator(o)
	case "place":
		return PlaceActuator(o)
	case "workflow.run":
		return WorkflowRunActuator(o)
	}
	return RestartActuator(o)
}

// readAndApply reads files and applies them, as the daemon does.
func readAndApply(ctx context.Context, o *Orchestrator, paths ...string) error {
	w, err := Read(paths...)
	if err != nil {
		return err
	}
	return o.Apply(ctx, w)
}
