// Package testlocal starts local orchestrators in tests, over workloads whose pods are the
// test binary itself (see testpod).
//
// It is never linked into the real binary. Start reading at Main, which TestMain calls.
package testlocal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Patience bounds the wait for what must happen.
const Patience = 15 * time.Second

// The variables that make the test binary a daemon: the state folder, the file with the
// workloads, and whether its pods die with it.
const (
	daemonDir   = "SCANFLOW_TEST_DAEMON_DIR"
	daemonFile  = "SCANFLOW_TEST_DAEMON_FILE"
	DaemonKills = "SCANFLOW_TEST_DAEMON_KILLS=1"
)

// Main runs the tests, or makes the test binary a pod or a daemon. The daemon calls
// then once it runs its workloads; it may be nil.
func Main(m *testing.M, then func(*orchestrator.Orchestrator) error) {
	if os.Getenv(testpod.Role) != "" {
		testpod.Main()
	}
	if os.Getenv(daemonDir) == "" {
		os.Exit(m.Run())
	}
	if err := daemon(then); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	forever := make(chan os.Signal, 1)
	signal.Notify(forever, syscall.SIGTERM)
	<-forever
}

func daemon(then func(*orchestrator.Orchestrator) error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o, err := orchestrator.New(orchestrator.Options{
		StateDir: os.Getenv(daemonDir), Self: self, RandomPorts: true, BackOff: 20 * time.Millisecond, KillWithParent: os.Getenv("SCANFLOW_TEST_DAEMON_KILLS") != "",
	})
	if err == nil {
		err = ReadAndApply(context.Background(), o, os.Getenv(daemonFile))
	}
	if err == nil && then != nil {
		err = then(o)
	}
	return err
}

// Daemon makes the command of a daemon that runs the workloads of a file until it is killed.
func Daemon(t *testing.T, dir, file string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = append(append(os.Environ(), daemonDir+"="+dir, daemonFile+"="+file), env...)
	return cmd
}

// Open starts an orchestrator with nodes a, b and c. The end of the test stops every pod.
func Open(t *testing.T, dir string) *orchestrator.Orchestrator {
	t.Helper()
	return OpenOn(t, dir, orchestrator.Node{Name: "a"}, orchestrator.Node{Name: "b"}, orchestrator.Node{Name: "c"})
}

// OpenOn is Open with other nodes.
func OpenOn(t *testing.T, dir string, nodes ...orchestrator.Node) *orchestrator.Orchestrator {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	o, err := orchestrator.New(orchestrator.Options{StateDir: dir, Self: self, RandomPorts: true, BackOff: 50 * time.Millisecond, Seed: 1, Nodes: nodes})
	require.NoError(t, err)
	t.Cleanup(func() {
		Shut(t, o, orchestrator.StopAll)
		// Pods that a failed test detached have no other owner.
		if rest, err := orchestrator.New(orchestrator.Options{StateDir: dir}); err == nil {
			Shut(t, rest, orchestrator.StopAll)
		}
	})
	return o
}

// Shut closes an orchestrator.
func Shut(t *testing.T, o *orchestrator.Orchestrator, how orchestrator.Ending) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	require.NoError(t, o.Close(ctx, how))
}

// Write writes workloads to a file.
func Write(t *testing.T, yaml string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workloads.yaml")
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	return file
}

// ReadAndApply applies the workloads of files.
func ReadAndApply(ctx context.Context, o *orchestrator.Orchestrator, paths ...string) error {
	w, err := orchestrator.Read(paths...)
	if err != nil {
		return err
	}
	return o.Apply(ctx, w)
}

// Reload applies workloads.
func Reload(t *testing.T, o *orchestrator.Orchestrator, yaml string) {
	t.Helper()
	require.NoError(t, ReadAndApply(t.Context(), o, Write(t, yaml)))
}

// WaitReady waits for Deployments of the namespace test.
func WaitReady(t *testing.T, o *orchestrator.Orchestrator, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	for _, name := range names {
		require.NoError(t, o.WaitReady(ctx, "test", name))
	}
}

// Workload returns the state of a Deployment of the namespace test.
func Workload(t *testing.T, o *orchestrator.Orchestrator, name string) engine.Workload {
	t.Helper()
	w, ok := o.Workload(engine.TargetID{Kind: "Deployment", Namespace: "test", Name: name})
	require.True(t, ok)
	return w
}

// Address returns the URL of a Service or an HTTPRoute of the namespace test.
func Address(t *testing.T, o *orchestrator.Orchestrator, kind, name string) string {
	t.Helper()
	at, ok := o.Address(kind, "test", name)
	require.True(t, ok)
	return "http://" + at
}

// Get requests a URL.
func Get(url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// Eventually waits for a condition.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, Patience, 5*time.Millisecond, what)
}

// Process is the process of a pod, as the state folder records it.
type Process struct {
	Name       string `json:"name"`
	Deployment string `json:"deployment"`
	Node       string `json:"node"`
	UID        string `json:"uid"`
	PID        int    `json:"pid"`
	StartID    string `json:"startID"`
}

// Processes returns the processes of a Deployment by pod, with those that terminate.
func Processes(t *testing.T, dir, deployment string) map[string]Process {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "pods", "*.json"))
	require.NoError(t, err)
	out := map[string]Process{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) { // it has ended meanwhile
			continue
		}
		require.NoError(t, err)
		var p Process
		require.NoError(t, json.Unmarshal(raw, &p))
		if p.Deployment == deployment {
			out[p.Name] = p
		}
	}
	return out
}
