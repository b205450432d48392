package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// runLoad runs scanflow load, and returns what it wrote and its status.
func runLoad(t *testing.T, args ...string) (out string, status int, err error) {
	t.Helper()
	var stdout bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"load"}, args...))
	root.SetOut(&stdout)
	root.SetErr(io.Discard)
	err = root.ExecuteContext(t.Context())
	var code exitCode
	switch {
	case err == nil:
	case errors.As(err, &code):
		status = int(code)
	default:
		status = 1
	}
	return stdout.String(), status, err
}

// lastLine is the report that --json ends with.
func lastLine(t *testing.T, out string) (report struct {
	Scenario   string   `json:"scenario"`
	BoundMet   *bool    `json:"bound_met"`
	Valid      bool     `json:"valid"`
	ScaledDown bool     `json:"scaled_down"`
	NotValid   []string `json:"not_valid_because"`
	Metric     struct {
		Name  string   `json:"name"`
		Value *float64 `json:"value"`
	} `json:"metric"`
	Queries      int                 `json:"queries"`
	Samples      int                 `json:"samples"`
	Errors       int                 `json:"errors"`
	ErrorsByCode map[string]int      `json:"errors_by_code"`
	LatencyMS    map[string]*float64 `json:"latency_ms"`
	MaxLagMS     *float64            `json:"max_lag_ms"`
	FellBehindMS *float64            `json:"fell_behind_ms"`
	Interrupted  bool                `json:"interrupted"`
	Capacity     *loadCapacity       `json:"capacity"`
}) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &report), out)
	return report
}

func TestLoadScenarios(t *testing.T) {
	var answered atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"x": 1}` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "a: b" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answered.Add(1)
	}))
	defer server.Close()
	body := filepath.Join(t.TempDir(), "query.JSON")
	require.NoError(t, os.WriteFile(body, []byte(`{"x": 1}`), 0o600))
	for name, c := range map[string]struct {
		args   []string
		metric string
		each   int // samples a query
	}{
		"server":        {[]string{"--rate", "50", "--duration", "2s", "--bound", "9s"}, "scheduled_samples_per_second", 1},
		"schedule":      {[]string{"--schedule", "a=1s@20, b=1s@20..80", "--bound", "9s"}, "scheduled_samples_per_second", 1},
		"single-stream": {[]string{"--scenario", "single-stream", "--duration", "1s", "--bound", "9s"}, "early_stopping_latency_p90_ms", 1},
		"multi-stream":  {[]string{"--scenario", "multi-stream", "--duration", "1s", "--bound", "9s"}, "early_stopping_latency_p99_ms", 8},
		"offline":       {[]string{"--scenario", "offline", "--samples", "200", "--concurrency", "4"}, "samples_per_second", 200},
	} {
		t.Run(name, func(t *testing.T) {
			answered.Store(0)
			picture := filepath.Join(t.TempDir(), "run.svg")
			out, status, err := runLoad(t, append(c.args, server.URL, "--body", body, "--header", "X-Key: a: b", "--plot", picture, "--json")...)
			report := lastLine(t, out)
			require.NoError(t, err, out)
			require.Zero(t, status)
			if report.FellBehindMS != nil { // the machine is busy, and that is said
				require.Contains(t, out, "the generator fell behind by")
			}
			require.Positive(t, report.Queries)
			require.Zero(t, report.Errors, out)
			require.Equal(t, int(answered.Load()), report.Samples, "the service saw each sample")
			require.Equal(t, c.each*report.Queries, report.Samples)
			require.Equal(t, c.metric, report.Metric.Name)
			require.NotNil(t, report.LatencyMS["p50"])
			require.NotNil(t, report.LatencyMS["p99"])
			require.NotNil(t, report.MaxLagMS)
			require.True(t, report.ScaledDown)
			require.False(t, report.Valid, "a short run never is")
			if name == "offline" {
				require.Nil(t, report.BoundMet)
			} else {
				require.True(t, *report.BoundMet)
			}
			svg, err := os.ReadFile(picture)
			require.NoError(t, err)
			require.Contains(t, string(svg), ">errors (1/s)<")
			if name == "schedule" {
				require.Contains(t, out, "phase  target/s")
				require.Contains(t, string(svg), ">b<", "phases are marks")
				require.Contains(t, strings.Join(report.NotValid, "; "), "the rate changed")
			}
		})
	}
}

func TestLoadStatus(t *testing.T) {
	for name, c := range map[string]struct {
		answer int
		args   []string
		status int
		met    any
		errors string
	}{
		"an error":              {500, []string{"--rate", "50", "--duration", "1s"}, 1, nil, "500"},
		"an error, and a bound": {503, []string{"--rate", "50", "--duration", "1s", "--bound", "5s"}, 1, false, "503"},
		"a redirect":            {302, []string{"--scenario", "offline", "--samples", "3"}, 1, nil, "302"},
		"a bound missed":        {200, []string{"--scenario", "single-stream", "--duration", "100ms", "--bound", "1ns"}, 1, false, ""},
		"no bound":              {200, []string{"--scenario", "single-stream", "--duration", "100ms"}, 0, nil, ""},
		"silence":               {200, []string{"--schedule", "100ms@0"}, 1, nil, ""},
		"silence, and a bound":  {200, []string{"--schedule", "100ms@0", "--bound", "9s"}, 1, false, ""},
		"too short for a query": {200, []string{"--rate", "1e-9", "--duration", "100ms"}, 1, nil, ""},
		"a bound met":           {200, []string{"--scenario", "single-stream", "--duration", "100ms", "--bound", "9s"}, 0, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.answer)
			}))
			defer server.Close()
			out, status, _ := runLoad(t, append(c.args, server.URL, "--json")...)
			report := lastLine(t, out)
			require.Equal(t, c.status, status, out)
			if c.met == nil {
				require.Nil(t, report.BoundMet)
			} else {
				require.Equal(t, c.met, *report.BoundMet)
			}
			if c.errors == "" {
				require.Zero(t, report.Errors)
				return
			}
			require.Equal(t, map[string]int{c.errors: report.Samples}, report.ErrorsByCode)
			require.Nil(t, report.LatencyMS["p50"], "none was answered")
			require.Contains(t, out, "never (too many were not answered)")
		})
	}
}

func TestLoadShowsNoPassword(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "hush" || r.Header.Get("Token") != "hush2" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	out, status, err := runLoad(t, strings.Replace(server.URL, "//", "//u:hush@", 1), "--scenario", "offline", "--samples", "2", "--header", "Token: hush2", "--json")
	require.NoError(t, err, out)
	require.Zero(t, status)
	require.NotContains(t, out, "hush")
}

// TestLoadSaysWhyNothingReplies: no_reply alone does not tell a typing mistake from a crash.
func TestLoadSaysWhyNothingReplies(t *testing.T) {
	tls := httptest.NewServer(http.NotFoundHandler())
	defer tls.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("\x1b[31mgarbage\r\n\r\n"))
			_ = conn.Close()
		}
	}))
	defer broken.Close()
	short := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "200")
		_, _ = w.Write([]byte("x"))
	}))
	defer short.Close()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for part := make([]byte, 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	for name, c := range map[string]struct{ url, want string }{
		"nothing listens":       {fmt.Sprintf("http://u:hush@127.0.0.1:%d/", freePort(t)), "connection refused"},
		"HTTPS to plain HTTP":   {strings.Replace(tls.URL, "http", "https", 1), "does not look like a TLS handshake"},
		"no such host":          {"http://nosuch.invalid/", "lookup nosuch.invalid"},
		"it is not HTTP":        {broken.URL, "malformed HTTP"},
		"a reply that is short": {short.URL, "unexpected EOF"},
		"a reply without end":   {endless.URL, "the reply has more than 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			out, status, _ := runLoad(t, c.url, "--scenario", "offline", "--samples", "2", "--timeout", "20s", "--json")
			require.Equal(t, 1, status)
			require.Regexp(t, `no_reply the first: .*`+c.want, out)
			require.Regexp(t, `"no_reply_because":".*`+c.want, out)
			require.NotContains(t, out, "hush")
			require.NotContains(t, out, "\x1b")
		})
	}
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer good.Close()
	out, _, _ := runLoad(t, good.URL, "--scenario", "offline", "--samples", "2", "--json")
	require.NotContains(t, out, "no_reply")
}

// TestLoadSaysWhichColumnsItDoesNotRead: of second,tokens each line is one request.
func TestLoadSaysWhichColumnsItDoesNotRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "trace.csv")
	require.NoError(t, os.WriteFile(file, []byte("second,count,tokens\n0,12,1\n0.1,40,2\n"), 0o600))
	out, _, _ := runLoad(t, server.URL, "--trace", file)
	require.Contains(t, out, "The trace has a request a line: 2 queries. Its columns count, tokens are not read.\n")
}

func TestLoadOfATrace(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "trace.csv")
	require.NoError(t, os.WriteFile(file, []byte("minute,requests\n2026-01-02T15:04:00Z,60000\n2026-01-02T15:05:00Z,120000\n"), 0o600))
	out, _, _ := runLoad(t, server.URL, "--trace", file, "--scale-rate", "0.05", "--scale-time", "0.02", "--duration", "1200ms", "--json")
	report := lastLine(t, out)
	require.Equal(t, 60, report.Queries, "50 a second for a minute that takes 1.2 s")
	require.EqualValues(t, 60, sent.Load())
	require.Contains(t, out, "The trace takes 2.4s; --duration leaves its first 1.2s: 60 of 180 queries.")
}

// TestLoadCapacity searches how much a service takes that answers one query at a time.
func TestLoadCapacity(t *testing.T) {
	var one sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		one.Lock()
		defer one.Unlock()
		<-time.After(20 * time.Millisecond)
	}))
	defer server.Close()
	out, status, _ := runLoad(t, server.URL, "--capacity", "--bound", "150ms", "--duration", "1s", "--rate", "12.5", "--json")
	report := lastLine(t, out)
	require.NotNil(t, report.Capacity)
	require.NotEmpty(t, report.Capacity.Probes)
	for i, p := range report.Capacity.Probes {
		require.Contains(t, out, fmt.Sprintf("%2d  ", i+1))
		require.Equal(t, p.Held, p.Because == "")
	}
	last := report.Capacity.Probes[len(report.Capacity.Probes)-1]
	require.Equal(t, 12.5, report.Capacity.Probes[0].Rate)
	if report.Capacity.Rate == nil { // a busy machine: none held, or not again
		require.Equal(t, 1, status)
		require.Nil(t, report.Metric.Value)
		return
	}
	require.Zero(t, status, out)
	require.True(t, last.Confirms && last.Held)
	require.Equal(t, last.Rate, *report.Capacity.Rate)
	require.Equal(t, last.Rate, *report.Metric.Value)
	require.Less(t, *report.Capacity.Rate, 100.0, "it takes fifty a second")
}

func TestLoadInterrupted(t *testing.T) {
	var inside atomic.Int64
	open := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside.Add(1)
		<-open
	}))
	release := sync.OnceFunc(func() { close(open) })
	defer server.Close()
	defer release()
	cmd := command(t, "load", server.URL, "--rate", "50", "--duration", "1h", "--timeout", "1m", "--json")
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	require.Eventually(t, func() bool { return inside.Load() >= 5 }, time.Minute, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		t.Fatalf("it did not wait for what was under way: %v: %s%s", err, &out, &progress)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	require.Error(t, <-ended)
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), progress.String())
	report := lastLine(t, out.String())
	require.True(t, report.Interrupted)
	require.Zero(t, report.Errors, "what was under way was answered")
	require.EqualValues(t, inside.Load(), report.Queries)
	require.Contains(t, out.String(), "it was interrupted")
}

func TestLoadProgressLine(t *testing.T) {
	s := load.Stats{Elapsed: 12400 * time.Millisecond, TargetRate: 20, Due: 250, Done: 240, Outstanding: 2, Answered: 19.84, P50: 12 * time.Millisecond, P99: 1234 * time.Millisecond}
	require.Equal(t, "12s of 1m0s  target 20/s  answered 19.8/s  under way 2  p50 12 ms  p99 1234 ms", progressText(s, time.Minute))
	s.Failed, s.TargetRate = 3, 0
	require.Equal(t, "12s  answered 19.8/s  under way 2  p50 12 ms  p99 1234 ms  errors 3 of 240", progressText(s, 0))
	require.Equal(t, "12s", truncate("12s of", 3))
}

// TestLoadSaysWhatCannotBeDrawn is about a picture that has no place.
func TestLoadSaysWhatCannotBeDrawn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	out, status, err := runLoad(t, server.URL, "--scenario", "offline", "--samples", "1", "--plot", filepath.Join(t.TempDir(), "no", "run.svg"))
	require.Equal(t, 1, status)
	require.ErrorContains(t, err, "--plot: open")
	require.Empty(t, out, "it is said before anything is sent")
}
