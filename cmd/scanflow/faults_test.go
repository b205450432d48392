package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faultySource is a server that a sensor reads, and that fails in one way after another.
// Its port is its own from the start, but refuses connections until open.
type faultySource struct {
	t      *testing.T
	socket int
	url    string
	asked  atomic.Int64 // in the present mode

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newSource(t *testing.T) *faultySource {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	syscall.CloseOnExec(socket)
	t.Cleanup(func() { _ = syscall.Close(socket) })
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(socket)
	require.NoError(t, err)
	return &faultySource{t: t, socket: socket, url: fmt.Sprintf("http://127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)}
}

func (s *faultySource) open() {
	s.t.Helper()
	require.NoError(s.t, syscall.Listen(s.socket, 128))
	copied, err := syscall.Dup(s.socket)
	require.NoError(s.t, err)
	syscall.CloseOnExec(copied)
	file := os.NewFile(uintptr(copied), "listener")
	listener, err := net.FileListener(file)
	require.NoError(s.t, err)
	require.NoError(s.t, file.Close())
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		answer := s.answer
		s.asked.Add(1)
		s.mu.Unlock()
		answer(w, r)
	})}}
	server.Start()
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
}

func (s *faultySource) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
	s.asked.Store(0)
}

// says answers with one text.
func says(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// drips answers with a text that is whole, and with blank bytes until the client goes.
func drips(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, kind, text)(w, r)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			_, _ = io.WriteString(w, "\n")
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}
}

// floods answers with a text that is whole, and with 100 MB of blank lines.
func floods(kind, text string) http.HandlerFunc {
	blank := []byte(strings.Repeat("\n", 1<<20))
	return func(w http.ResponseWriter, r *http.Request) {
		says(http.StatusOK, kind, text)(w, r)
		for range 100 {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	}
}

// drops ends the connection in the middle of an answer.
func drops(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "{")
	panic(http.ErrAbortHandler)
}

// fault is a way in which a source fails, and what an agent makes of it.
type fault struct {
	name   string
	answer http.HandlerFunc // nil: it refuses connections
	state  string
	slow   bool // the agent waits for it until its deadline
}

// Nevers 1 and 6 of a source: every fault in turn, with one daemon. The agent that
// reads the source never acts; the watcher beside it fires and acts as if nothing
// were. Each answer that can also carries a good value above the bound, so that a sensor
// which reads only half of it, or ignores its status, would cause an act.
func testFaultsNeverAct(t *testing.T, name, sensor string, src *faultySource, faults []fault, good http.HandlerFunc, args ...string) {
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	victim := newApp(t)
	s.write("agents/"+name+".yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: %s, namespace: test}
spec:
  targets: {static: [{name: api, namespace: other}]}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - name: load
      %s
      timeout: 300ms
      staleAfter: 5s
  strategies: [t.call]
  primitives: [webhook]
  params: {bound: 10, url: %q}
  guards: {cooldown: {webhook: 1h}}
`, name, sensor, victim.URL+"/call"))
	agent := "test/" + name
	d := startDaemon(t, s.args(args...)...)
	// fires waits for so many firings of the agent, and for some of the watcher. It
	// returns the metrics after, and how often the watcher fired meanwhile.
	fires := func(more int, why string) (metrics string, watched int) {
		t.Helper()
		_, before := d.get("/metrics")
		require.Eventually(t, func() bool {
			_, metrics = d.get("/metrics")
			watched = firings(metrics) - firings(before)
			return watched > 2 && firingsOf(metrics, agent) >= firingsOf(before, agent)+more
		}, 20*time.Second, 10*time.Millisecond, "one of them fires no more: %s", why)
		return metrics, watched
	}
	for i, f := range faults {
		if f.answer != nil {
			src.set(f.answer)
			if i > 0 && faults[i-1].answer == nil {
				src.open()
			}
		}
		metrics, _ := fires(3, f.name) // the first may have been under way; the last two were not
		require.Contains(t, metrics, fmt.Sprintf(`scanflow_signals{agent=%q,signal="load",state=%q} 1`, agent, f.state), f.name)
		require.Equal(t, f.answer != nil, src.asked.Load() > 0, f.name)
		if f.slow {
			_, watched := fires(6, f.name)
			require.Greater(t, watched, 8, "the watcher waits with %s: %s", agent, f.name)
		}
		require.Empty(t, victim.keys(), f.name)
	}
	s.app.set(`{"load": 50}`)
	s.calls(1) // the watcher acts while the source is still at fault
	require.Empty(t, victim.keys())

	src.set(good)
	require.Eventually(t, func() bool { return len(victim.keys()) > 0 }, 20*time.Second, 5*time.Millisecond, "a good value at last")
	d.metric(fmt.Sprintf(`scanflow_refusals_total{agent=%q,by="guards.cooldown"} 1`, agent))
	metrics, _ := fires(3, "a good value")
	require.Contains(t, metrics, fmt.Sprintf(`scanflow_signals{agent=%q,signal="load",state="ok"} 1`, agent))
	require.Len(t, victim.keys(), 1, "cooled down")
	d.stop()
	require.Len(t, s.app.keys(), 1)
	out, code := scanflow(t, "decisions", "--data", s.data, "--json", "--agent", agent, "--verdict", "admitted", "--limit", "0")
	require.Equal(t, 0, code, out)
	require.Equal(t, 1, strings.Count(out, "\n"), "of all firings one was admitted: %s", out)
}

func TestPrometheusFaultsNeverActAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	const kind = "application/json"
	answer := func(resultType, result string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, resultType, result)
	}
	vector := func(value string) string {
		return answer("vector", fmt.Sprintf(`[{"metric":{},"value":[%d,%q]}]`, time.Now().Unix(), value))
	}
	good := func(w http.ResponseWriter, r *http.Request) { says(http.StatusOK, kind, vector("50"))(w, r) }
	src := newSource(t)
	testFaultsNeverAct(t, "prom", "prometheus: {query: load}", src, []fault{
		{name: "refuses connections", state: "error"},
		{name: "cuts the connection", answer: drops, state: "error"},
		{name: "drips past the deadline", answer: drips(kind, vector("50")), state: "error", slow: true},
		{name: "500", answer: says(http.StatusInternalServerError, kind, vector("50")), state: "error"},
		{name: "a web page", answer: says(http.StatusOK, "text/html", "<html>50</html>"), state: "error"},
		{name: "a web page said to be JSON", answer: says(http.StatusOK, kind, "<html>50</html>"), state: "error"},
		{name: "no series", answer: says(http.StatusOK, kind, answer("vector", `[]`)), state: "empty"},
		{name: "no number", answer: says(http.StatusOK, kind, vector("NaN")), state: "nan"},
		{name: "infinity", answer: says(http.StatusOK, kind, vector("+Inf")), state: "nan"},
		{name: "a text", answer: says(http.StatusOK, kind, answer("string", `[1,"50"]`)), state: "error"},
		{name: "100 MB", answer: floods(kind, vector("50")), state: "error"},
	}, good, "--prometheus", src.url)
}

func TestApplicationFaultsNeverActAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	const kind = "text/plain; version=0.0.4"
	src := newSource(t)
	testFaultsNeverAct(t, "scraper", fmt.Sprintf("scrape: {url: %q, metric: load}", src.url+"/metrics"), src, []fault{
		{name: "refuses connections", state: "error"},
		{name: "cuts the connection", answer: drops, state: "error"},
		{name: "drips past the deadline", answer: drips(kind, "load 50\n"), state: "error", slow: true},
		{name: "500", answer: says(http.StatusInternalServerError, kind, "load 50\n"), state: "error"},
		{name: "a web page", answer: says(http.StatusOK, "text/html", "load 50\n"), state: "error"},
		{name: "a web page said to be metrics", answer: says(http.StatusOK, kind, "<html>50</html>"), state: "error"},
		{name: "nothing", answer: says(http.StatusOK, kind, ""), state: "error"},
		{name: "no such metric", answer: says(http.StatusOK, kind, "lode 50\n"), state: "empty"},
		{name: "no number", answer: says(http.StatusOK, kind, "load NaN\n"), state: "nan"},
		{name: "infinity", answer: says(http.StatusOK, kind, "load +Inf\n"), state: "nan"},
		{name: "100 MB", answer: floods(kind, "load 50\n"), state: "error"},
	}, says(http.StatusOK, kind, "load 50\n"))
}

// firingsOf is how often an agent's interval fired it.
func firingsOf(metrics, agent string) int {
	for line := range strings.Lines(metrics) {
		if rest, is := strings.CutPrefix(line, fmt.Sprintf(`scanflow_firings_total{agent=%q,trigger="every"} `, agent)); is {
			if n, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil {
				return n
			}
		}
	}
	return 0
}
