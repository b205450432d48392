package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"maps"
	"os/exec"
	"slices"
	"unicode/utf8"
)

const classifier = `apiVersion: apps/v1
kind: Deployment
metadata: {name: digits, namespace: test, labels: {app: digits}}
spec:
  replicas: 2
  selector: {matchLabels: {app: digits}}
  template:
    metadata: {labels: {app: digits}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: server
          image: scanflow
          command: [scanflow, digits, serve]
          args: ["--model=MODEL.FILE", "--listen=127.0.0.1:$(PORT_HTTP)"]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: test}
spec:
  selector: {app: digits}
  ports: [{name: http, port: 4242, targetPort: http}]
`

const scaler = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: scaler, namespace: test}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: digits}}}
  triggers: [{name: tick, every: 200ms}]
  sensors: [{name: ready, workload: {field: ready}}]
  strategies: [t.three]
  primitives: [scale]
`

const three = `package scanflow.strategies.t.three

propose contains p if {
	input.signals.ready.value == 2
	p := {"primitive": "scale", "with": {"replicas": 3}, "reason": "two_are_too_few", "because": ["ready"]}
}
`

// Pods run on when the daemon is killed, and are adopted by the next one; what was
// scaled stays scaled.
func TestPodsOutliveTheDaemonAndAreAdopted(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	out, code := scanflow(t, "digits", "train", "--count", "300", "-o", file("m.digits"))
	require.Equal(t, 0, code, out)
	port := freePort(t)
	for name, text := range map[string]string{
		"workloads/digits.yaml": strings.NewReplacer("MODEL.FILE", file("m.digits"), "4242", fmt.Sprint(port)).Replace(classifier),
		"agents/scaler.yaml":    scaler, "policies/three.rego": three,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file(name)), 0o755))
		require.NoError(t, os.WriteFile(file(name), []byte(text), 0o644))
	}
	args := []string{"-f", file("agents"), "--policies", file("policies"), "--workloads", file("workloads"), "--data", file("data[1]")}
	d := startDaemon(t, args...)
	d.metric(`scanflow_acts_total{agent="test/scaler",dry_run="false",outcome="done",primitive="scale",strategy="t.three"} 1`)
	before := pods(t, file("data[1]"))
	require.Len(t, before, 3)
	d.kill()
	for pid := range before {
		require.NoError(t, syscall.Kill(pid, 0), "a pod runs on without the daemon")
	}
	d = startDaemon(t, append(args, "--stop-pods")...)
	require.Eventually(t, func() bool {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond, "the service answers again")
	require.Equal(t, before, pods(t, file("data[1]")), "the same processes")
	requirePodsEnd(t, d, file("data[1]"), slices.Collect(maps.Keys(before)))
	d = startDaemon(t, append(args, "--stop-pods")...)
	require.Eventually(t, func() bool { return len(pods(t, file("data[1]"))) == 3 }, 20*time.Second, 10*time.Millisecond, "they are started again")
	before = pods(t, file("data[1]"))
	d.stop()
	for pid := range before {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, 10*time.Millisecond, "--stop-pods ends them")
	}
}

// requirePodsEnd kills a daemon and ends the pods that it leaves, and nothing else: not while it
// runs, and not a process that has the PID of one that is gone.
func requirePodsEnd(t *testing.T, d *daemon, data string, pids []int) {
	t.Helper()
	out, code := scanflow(t, "pods", "--data", data, "--end")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "a scanflow runs on "+data)
	d.kill()
	other := exec.CommandContext(t.Context(), "sleep", "600")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, other.Start())
	require.NoError(t, os.WriteFile(filepath.Join(data, "local", "pods", "default_reused.json"), fmt.Appendf(nil,
		`{"namespace": "default", "name": "reused", "uid": "u", "deployment": "old", "pid": %d, "startID": "another boot:1", "spec": {"containers": []}}`, other.Process.Pid), 0o600))
	out, code = scanflow(t, "pods", "--data", data, "--utc")
	require.Equal(t, 0, code, out)
	require.Equal(t, len(pids), strings.Count(out, "  running\n"), out)
	require.Regexp(t, `(?m)^default/reused +Deployment old +\d+ +- +gone$`, out)
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 81, out)
	}
	out, code = scanflow(t, "pods", "--data", data, "--end", "--grace", "20s")
	require.Equal(t, 0, code, out)
	require.Equal(t, len(pids), strings.Count(out, "  ended\n"), out)
	for _, pid := range pids {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, 10*time.Millisecond, "ended, and reaped by init")
	}
	require.NoError(t, syscall.Kill(other.Process.Pid, 0), "a process that no record means is left alone")
	require.NoError(t, other.Process.Kill())
	require.Error(t, other.Wait())
	out, code = scanflow(t, "pods", "--data", data, "--end")
	require.Equal(t, 0, code, out)
	require.Equal(t, "no pod runs\n", out)
	out, code = scanflow(t, "pods", "--data", filepath.Join(data, "nowhere"))
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "no pods have run with")
	require.NoDirExists(t, filepath.Join(data, "nowhere"))
}

const restartOnce = `package scanflow.strategies.t.three

propose contains p if {
	input.signals.ready.value == 2
	not input.memory["t.three"].last.restart
	p := {"primitive": "restart", "reason": "once", "because": ["ready"]}
}
`

// Every pod is replaced, by an act that a strategy chose.
func TestARestartReplacesThePods(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	out, code := scanflow(t, "digits", "train", "--count", "300", "-o", file("m.digits"))
	require.Equal(t, 0, code, out)
	for name, text := range map[string]string{
		"workloads/digits.yaml": strings.NewReplacer("MODEL.FILE", file("m.digits"), "4242", fmt.Sprint(freePort(t))).Replace(classifier),
		"agents/scaler.yaml":    strings.ReplaceAll(scaler, "[scale]", "[restart]"), "policies/three.rego": restartOnce,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file(name)), 0o755))
		require.NoError(t, os.WriteFile(file(name), []byte(text), 0o644))
	}
	d := startDaemon(t, "-f", file("agents"), "--policies", file("policies"), "--workloads", file("workloads"), "--data", file("data"), "--stop-pods")
	d.said(`"pods to replace, one after another: 2"`)
	d.metric(`scanflow_acts_total{agent="test/scaler",dry_run="false",outcome="done",primitive="restart",strategy="t.three"} 1`)
	did := map[string][]any{}
	for _, line := range d.lines() {
		what, _ := line["@message"].(string)
		did[what] = append(did[what], line["pod"])
	}
	require.Len(t, did["pod starts"], 4)
	require.ElementsMatch(t, did["pod starts"][:2], did["pod drains"], "the first two have made place for two others")
	require.Len(t, pods(t, file("data")), 2)
	d.stop()
}

func freePort(t *testing.T) int {
	port, release, err := freeport.Hold()
	require.NoError(t, err)
	t.Cleanup(release)
	return port
}

// pods are the processes of the local orchestrator, from its records.
func pods(t *testing.T, data string) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	require.NoError(t, filepath.WalkDir(filepath.Join(data, "local"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".json") {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var record map[string]any
		if json.Unmarshal(raw, &record) == nil {
			if pid, is := find(record, "pid"); is && pid > 0 {
				out[pid] = true
			}
		}
		return nil
	}))
	return out
}

// find looks for a number under a key, at any depth.
func find(v map[string]any, key string) (int, bool) {
	for k, x := range v {
		if n, is := x.(float64); is && strings.EqualFold(k, key) {
			return int(n), true
		}
		if m, is := x.(map[string]any); is {
			if n, found := find(m, key); found {
				return n, true
			}
		}
	}
	return 0, false
}
