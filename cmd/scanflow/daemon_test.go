package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is a `scanflow run` in a process of its own.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	log  string // file
	exit chan error
}

// startDaemon starts scanflow run and waits until it says its address.
func startDaemon(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := launch(t, args...)
	require.Eventually(t, func() bool {
		for _, line := range d.lines() {
			if address, is := line["address"].(string); is && line["@message"] == "running" {
				d.url = "http://" + address
			}
		}
		return d.url != "" || d.ended()
	}, 30*time.Second, 5*time.Millisecond)
	require.NotEmpty(t, d.url, "it did not start:\n%s", d.text())
	return d
}

func launch(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, log: filepath.Join(t.TempDir(), "log"), exit: make(chan error, 1)}
	log, err := os.Create(d.log)
	require.NoError(t, err)
	d.cmd = command(t, append([]string{"run", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	d.cmd.Env = append(os.Environ(), "HOOK_TOKEN=s3cret-token")
	d.cmd.Stderr, d.cmd.Stdout = log, log
	require.NoError(t, d.cmd.Start())
	go func() { d.exit <- d.cmd.Wait() }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = log.Close()
		if t.Failed() {
			t.Logf("daemon:\n%s", d.text())
		}
	})
	return d
}

func (d *daemon) text() string {
	raw, err := os.ReadFile(d.log)
	require.NoError(d.t, err)
	return string(raw)
}

func (d *daemon) lines() (out []map[string]any) {
	s := bufio.NewScanner(strings.NewReader(d.text()))
	for s.Scan() {
		var line map[string]any
		if json.Unmarshal(s.Bytes(), &line) == nil {
			out = append(out, line)
		}
	}
	return out
}

func (d *daemon) ended() bool { return len(d.exit) > 0 }

// said waits until the log has the text.
func (d *daemon) said(text string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return strings.Contains(d.text(), text) }, 20*time.Second, 5*time.Millisecond, "the log never says %q", text)
}

// saidAgain waits until the log has the text so many times.
// saidAfter waits for a message in the log after its first lines.
func (d *daemon) saidAfter(lines int, message string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool {
		for _, line := range d.lines()[lines:] {
			if line["@message"] == message {
				return true
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond, "no line %q", message)
}

func (d *daemon) saidAgain(text string, times int) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return strings.Count(d.text(), text) >= times }, 20*time.Second, 5*time.Millisecond, "the log says %q less than %d times", text, times)
}

// stop ends it as an orchestrator does: within 15 s, with status 0.
func (d *daemon) stop() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-d.exit:
		require.NoError(d.t, err)
	case <-time.After(15 * time.Second):
		require.FailNow(d.t, "still running 15 s after SIGTERM")
	}
}

// kill ends it as a power cut does.
func (d *daemon) kill() {
	require.NoError(d.t, d.cmd.Process.Kill())
	require.Error(d.t, <-d.exit)
}

func (d *daemon) get(path string) (int, string) {
	d.t.Helper()
	res, err := http.Get(d.url + path)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode, string(body)
}

// metric waits until a line of /metrics has the text.
func (d *daemon) metric(text string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool {
		_, body := d.get("/metrics")
		for line := range strings.Lines(body) {
			if !strings.HasPrefix(line, "#") && strings.Contains(line, text) {
				return true
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond, "no metric %q", text)
}

// scanflow runs a command and returns what it printed and its status.
func scanflow(t *testing.T, args ...string) (string, int) {
	t.Helper()
	c := command(t, args...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		require.NoError(t, err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// application is a thing that only has an API: it shows a load, and takes calls.
type application struct {
	*httptest.Server
	mu    sync.Mutex
	load  string // body of GET /load
	calls []*http.Request
	body  []string
	hold  chan struct{} // calls wait for it, if set
}

func newApp(t *testing.T) *application {
	a := &application{load: `{"load": 50}`}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			a.mu.Lock()
			defer a.mu.Unlock()
			_, _ = io.WriteString(w, a.load)
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		a.mu.Lock()
		a.calls, a.body = append(a.calls, r), append(a.body, string(raw))
		hold := a.hold
		a.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *application) set(load string) { a.mu.Lock(); defer a.mu.Unlock(); a.load = load }

func (a *application) keys() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.calls {
		out = append(out, r.Header.Get("Idempotency-Key"))
	}
	return out
}

const callPolicy = `package scanflow.strategies.t.call

# METADATA
# title: Load too high
# description: Calls for help.
propose contains p if {
	input.signals.load.value > input.params.bound
	p := {
		"primitive": "webhook",
		"with": {"url": input.params.url, "body": {"load": input.signals.load.value}},
		"reason": "too_high",
		"because": ["load"],
	}
}
`

const callTest = `package scanflow.strategies.t.call_test

import data.scanflow.strategies.t.call

test_calls if count(call.propose) == 1 with input as {"signals": {"load": {"state": "ok", "value": 2}}, "params": {"bound": 1, "url": "u"}}
`

// another is a strategy of another name that does the same.
var another = strings.ReplaceAll(callPolicy, "t.call", "t.another")

// site is a folder with agents and policies for an app.
type site struct {
	t                           *testing.T
	dir, agents, policies, data string
	app                         *application
}

func newSite(t *testing.T) *site {
	dir := t.TempDir()
	s := &site{t: t, dir: dir, agents: filepath.Join(dir, "agents"), policies: filepath.Join(dir, "policies"), data: filepath.Join(dir, "data"), app: newApp(t)}
	s.write("policies/call.rego", callPolicy)
	s.write("policies/call_test.rego", callTest)
	s.agent("watcher", "")
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(s.t, os.WriteFile(file+".new", []byte(text), 0o644))
	require.NoError(s.t, os.Rename(file+".new", file))
}

func (s *site) read(name string) string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return string(raw)
}

// agent writes an agent that calls the app once while its load is above 10.
func (s *site) agent(name, more string) {
	s.write("agents/"+name+".yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: %s, namespace: test}
spec:
  targets: {static: [{name: api, namespace: prod}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - name: load
      http: {url: %q, pointer: /load}
      timeout: 500ms
      staleAfter: 5s
  strategies: [t.call]
  primitives: [webhook]
  params: {bound: 10, url: %q}
  credentials: [{url: %q, bearerToken: {env: HOOK_TOKEN}}]
  guards: {cooldown: {webhook: 1h}}
%s`, name, s.app.URL+"/load", s.app.URL+"/call", s.app.URL, more))
}

func (s *site) args(more ...string) []string {
	return append([]string{"-f", s.agents, "--policies", s.policies, "--data", s.data}, more...)
}

func (s *site) calls(n int) []string {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.app.keys()) >= n }, 20*time.Second, 5*time.Millisecond)
	return s.app.keys()
}
