package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/policies"
)

const (
	// arenaBytes bounds the anonymous and shared memory of a daemon and its children together.
	arenaBytes = 700 << 20
	// arenaWithin is for what takes a second or so on a machine with nothing else to do.
	arenaWithin = 90 * time.Second
	arenaLook   = 25 * time.Millisecond
)

// arena is a daemon with two agents: victim runs a strategy of a folder that is made
// hostile, healthy another. The load is such that neither has anything to do.
type arena struct {
	*site
	d     *daemon
	saved int
	meter *meter
}

// newArena makes the folders and starts nothing.
func newArena(t *testing.T) *arena {
	a := &arena{site: newSite(t)}
	require.NoError(t, os.Remove(filepath.Join(a.agents, "watcher.yaml")))
	require.NoError(t, os.RemoveAll(a.policies))
	a.write("policies/healthy/call.rego", callPolicy)
	a.write("policies/healthy/call_test.rego", callTest)
	a.agent("healthy", "")
	a.agent("victim", "")
	a.write("agents/victim.yaml", strings.Replace(a.read("agents/victim.yaml"), "[t.call]", "[t.victim]", 1))
	a.write("agents/healthy.yaml", strings.Replace(a.read("agents/healthy.yaml"), "bound: 10,", "bound: 1000000,", 1))
	a.app.set(`{"load": 5}`)
	a.save(hostileFolder{})
	return a
}

func (a *arena) start() {
	a.d = startDaemon(a.t, a.args()...)
	a.meter = newMeter(a.t, a.d.cmd.Process.Pid)
}

// save puts the files of a case in the place of those of the case before, all at once.
func (a *arena) save(h hostileFolder) {
	a.t.Helper()
	a.saved++
	dir := filepath.Join(a.dir, "cases", strconv.Itoa(a.saved))
	files := map[string]string{"victim.rego": harmless}
	for name, text := range h.write() {
		files[name] = text
	}
	files["victim.rego"] += fmt.Sprintf("\n# revision %d\n", a.saved)
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(a.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(a.t, os.WriteFile(file, []byte(text), 0o644))
	}
	if h.put != nil {
		h.put(a.t, dir)
	}
	hidden := filepath.Join(a.policies, ".case")
	require.NoError(a.t, os.Symlink(dir, hidden))
	require.NoError(a.t, os.Rename(hidden, filepath.Join(a.policies, "case")))
}

// mend saves a folder with nothing wrong, and waits until it is live.
func (a *arena) mend() {
	a.t.Helper()
	a.save(hostileFolder{})
	live := fmt.Sprintf("scanflow_policy_revision_info{revision=%q} 1", revisionOf(a.t, a.policies))
	a.until(func() bool { return strings.Contains(a.scrape(), live) }, "the mended folder is not taken")
}

// revisionOf is the revision that a folder or bundle makes, with the guards that ship.
func revisionOf(t *testing.T, path string) string {
	t.Helper()
	own, err := source.Read(path)
	require.NoError(t, err)
	shipped, err := source.ReadFS(policies.FS)
	require.NoError(t, err)
	return source.Join(own, source.GuardsOf(shipped)).ID()
}

// until waits for a condition; the daemon must not end meanwhile.
func (a *arena) until(holds func() bool, what string) {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return a.d.ended() || holds() }, arenaWithin, arenaLook, what)
	require.False(a.t, a.d.ended(), "the daemon ended: %s", what)
}

// scrape returns /metrics; "" while the daemon replaces its process.
func (a *arena) scrape() string {
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.d.url+"/metrics", nil)
	require.NoError(a.t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.d.refreshAddress()
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// firings returns how often an agent fired in the current process of the daemon; -1 while
// the daemon does not answer.
func (a *arena) firings(agent string) int {
	body := a.scrape()
	if body == "" {
		return -1
	}
	sum := 0
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, fmt.Sprintf("scanflow_firings_total{agent=%q", "test/"+agent)) {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
		require.NoError(a.t, err)
		sum += n
	}
	return sum
}

// restarts returns how often the daemon replaced its process.
func (a *arena) restarts() int { return strings.Count(a.d.text(), "beginning anew") }

// attempts is how many changes of the policies were decided upon.
func (a *arena) attempts() (n int) {
	text := a.d.text()
	for _, said := range []string{`"@message":"policies refused`, `"@message":"policies live`, `"@message":"policies are again`} {
		n += strings.Count(text, said)
	}
	return n
}

// ticks waits until an agent has had so many more turns.
func (a *arena) ticks(agent string, more int) {
	a.t.Helper()
	before, lives := a.firings(agent), a.restarts()
	a.until(func() bool {
		if n := a.restarts(); n != lives {
			before, lives = 0, n
		}
		return a.firings(agent) >= max(before, 0)+more
	}, agent+" has no turns any more")
}

// meter follows the memory that a process and its children have of their own.
type meter struct {
	mu   sync.Mutex
	most int64
}

func newMeter(t *testing.T, pid int) *meter {
	m := &meter{}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				n := ownBytes(pid)
				m.mu.Lock()
				m.most = max(m.most, n)
				m.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { cancel(); work.Wait() })
	return m
}

// resetPeak returns the peak and resets it.
func (m *meter) resetPeak() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.most
	m.most = 0
	return n
}

// peak is the most since it was taken last, in bytes.
func (m *meter) peak() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most
}

// ownBytes is the anonymous and shared memory of a process and of those that it started; 0
// where /proc does not say.
func ownBytes(pid int) (sum int64) {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && (f[0] == "RssAnon:" || f[0] == "RssShmem:") {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			sum += kib << 10
		}
	}
	for _, child := range childrenOf(pid) {
		sum += ownBytes(child)
	}
	return sum
}

// childrenOf are the processes that a process started and that run.
func childrenOf(pid int) (out []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		raw, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(raw)) {
			if child, err := strconv.Atoi(f); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// busy reports whether a child of the process has used the processor for a while.
func busy(pid int) bool {
	for _, child := range childrenOf(pid) {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		_, after, _ := strings.Cut(string(raw), ") ")
		f := strings.Fields(after)
		if len(f) < 12 {
			continue
		}
		ticks, _ := strconv.Atoi(f[11]) // of a hundredth of a second, in the process's own code
		if ticks >= 30 {
			return true
		}
	}
	return false
}

// signalled starts a command, sends it a signal once its child is at work, and returns what
// it printed. It must end by itself within 15 s after that.
func signalled(t *testing.T, sig syscall.Signal, args ...string) (string, int) {
	t.Helper()
	c := command(t, args...)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	c.Stdout, c.Stderr = out, out
	require.NoError(t, c.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // its status is looked at below
	}()
	t.Cleanup(func() { _ = c.Process.Kill() })
	require.Eventually(t, func() bool { return isClosed(ended) || busy(c.Process.Pid) }, arenaWithin, arenaLook)
	_ = c.Process.Signal(sig) // it may have ended by itself
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		require.FailNow(t, "still running 15 s after "+sig.String())
	}
	raw, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return string(raw), c.ProcessState.ExitCode()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
