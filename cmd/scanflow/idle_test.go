package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkIdle measures the daemon's memory while four agents have nothing to do. It
// starts the program itself, and not this test, which links more.
func BenchmarkIdle(b *testing.B) {
	program := filepath.Join(b.TempDir(), "scanflow")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(b, err, string(out))
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"load": 5}`) }))
	defer app.Close()
	var kept memory
	for range b.N {
		kept = idle(b, program, app.URL)
	}
	b.ReportMetric(kept.resident, "MiB-RSS")
	b.ReportMetric(kept.anonymous, "MiB-anon")
	b.ReportMetric(kept.peak, "MiB-peak")
}

const (
	idleAgents  = 4
	idleFirings = 40 // of all agents together
)

// memory is the memory of a process, in MiB. The resident set includes the touched part of
// the program's text, which the kernel can drop and read again; anonymous is the part that
// no file backs.
type memory struct{ resident, anonymous, peak float64 }

// idle runs a daemon for some firings and returns its memory after them.
func idle(b *testing.B, program, app string) memory {
	b.Helper()
	dir := b.TempDir()
	require.NoError(b, os.Mkdir(filepath.Join(dir, "agents"), 0o755))
	require.NoError(b, os.Mkdir(filepath.Join(dir, "policies"), 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "policies", "call.rego"), []byte(callPolicy), 0o644))
	for i := range idleAgents {
		require.NoError(b, os.WriteFile(filepath.Join(dir, "agents", fmt.Sprintf("a%d.yaml", i)), fmt.Appendf(nil, `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a%d, namespace: test}
spec:
  targets: {static: [{name: one}, {name: two}]}
  triggers: [{name: tick, every: 500ms}]
  sensors: [{name: load, http: {url: %q, pointer: /load}, timeout: 400ms}]
  strategies: [t.call]
  primitives: [webhook]
  params: {bound: 10, url: %q}
`, i, app, app), 0o644))
	}
	c := exec.Command(program, "run", "-f", filepath.Join(dir, "agents"), "--policies", filepath.Join(dir, "policies"),
		"--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	log, err := c.StderrPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	ended := false
	defer func() {
		if !ended {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}()
	lines := bufio.NewScanner(log)
	address := ""
	for address == "" && lines.Scan() {
		if m := regexp.MustCompile(`running: address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
	}
	require.NotEmpty(b, address, "it did not start")
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(io.Discard, log) }()

	require.Eventually(b, func() bool { return totalFirings(b, address) >= idleFirings }, time.Minute, 50*time.Millisecond)
	kept := memory{status(b, c.Process.Pid, "VmRSS"), status(b, c.Process.Pid, "RssAnon"), status(b, c.Process.Pid, "VmHWM")}
	require.NoError(b, c.Process.Signal(syscall.SIGTERM))
	<-read
	ended = true
	require.NoError(b, c.Wait())
	return kept
}

func totalFirings(b *testing.B, address string) (sum int) {
	res, err := http.Get("http://" + address + "/metrics")
	require.NoError(b, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	for _, m := range regexp.MustCompile(`(?m)^scanflow_firings_total\{.*\} (\d+)$`).FindAllStringSubmatch(string(body), -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(b, err)
		sum += n
	}
	return sum
}

// status is a size of a process, in MiB, as the kernel (Linux) counts it.
func status(b *testing.B, pid int, name string) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(raw)) {
		if rest, is := strings.CutPrefix(line, name+":"); is {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			require.NoError(b, err)
			return kib / 1024
		}
	}
	require.Fail(b, "no "+name)
	return 0
}
