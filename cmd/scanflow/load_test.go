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

func TestLoadRefuses(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("second,requests\n0,x\n1,5\n1,5\n"), 0o600))
	good := filepath.Join(t.TempDir(), "good.csv")
	require.NoError(t, os.WriteFile(good, []byte("second,requests\n0,1\n1,5\n"), 0o600))
	link := filepath.Join(t.TempDir(), "link.svg")
	require.NoError(t, os.Symlink(good, link))
	for name, c := range map[string]struct {
		args string
		want []string
	}{
		"nothing to do":          {"", []string{"--rate: server needs --rate, --schedule or --trace"}},
		"no such scenario":       {"--scenario burst", []string{`--scenario: "burst" is none of server`}},
		"rate and trace":         {"--rate 5 --trace " + good, []string{"--rate: has no effect with --trace", "--scale-rate"}},
		"rate and schedule":      {"--rate 5 --schedule 1s@5", []string{"--rate: has no effect with --schedule"}},
		"schedule and trace":     {"--schedule 1s@5 --trace " + good, []string{"--schedule: has no effect with --trace"}},
		"schedule and duration":  {"--schedule 1s@5 --duration 5s", []string{"--duration: has no effect with --schedule"}},
		"scales alone":           {"--rate 5 --scale-rate 2 --scale-time 2", []string{"--scale-rate: has no effect without --trace", "--scale-time: has no effect without --trace"}},
		"concurrency, server":    {"--rate 5 --concurrency 2 --samples 5", []string{"--concurrency: has no effect with --scenario server", "--samples: has no effect"}},
		"rate, offline":          {"--scenario offline --samples 5 --rate 5 --seed 3 --bound 1s --duration 5s --capacity", []string{"--rate: has no effect with --scenario offline", "--seed:", "--bound:", "--duration:", "--capacity:"}},
		"samples, streams":       {"--scenario multi-stream --samples 5 --max-outstanding 4", []string{"--samples: has no effect with --scenario multi-stream", "--max-outstanding"}},
		"offline, samples":       {"--scenario offline", []string{"--samples: offline needs how many"}},
		"capacity, no bound":     {"--capacity", []string{"--capacity: has no effect without --bound"}},
		"capacity, trace":        {"--capacity --bound 1s --trace " + good, []string{"--capacity: has no effect with --trace"}},
		"not above 0":            {"--rate 0 --duration 0s --bound 0s --timeout -1s --max-outstanding 0", []string{"--rate: it must be above 0", "--duration:", "--bound:", "--timeout:", "--max-outstanding:"}},
		"no number":              {"--rate NaN", []string{"--rate: it must be above 0"}},
		"infinite rate":          {"--rate Inf", []string{"--rate: +Inf is more than 1000000"}},
		"infinite":               {"--trace " + good + " --scale-time +Inf", []string{"--scale-time: it must be above 0"}},
		"more than can be sent":  {"--rate 1e9", []string{"--rate: 1e+09 is more than 1000000"}},
		"bound beyond timeout":   {"--rate 5 --bound 20s", []string{"--timeout: 10s is not above --bound (20s)"}},
		"content type alone":     {"--rate 5 --content-type a/b", []string{"--content-type: has no effect without --body"}},
		"no such body":           {"--rate 5 --body nosuch", []string{"--body: open nosuch"}},
		"no such trace":          {"--trace nosuch", []string{"--trace: open nosuch"}},
		"bad lines of a trace":   {"--trace " + bad, []string{"bad.csv:2: requests: \"x\"", "bad.csv:4: 1 is not after"}},
		"a trace and no time":    {"--trace " + good + " --scale-time 1e-12", []string{"--scale-time: 1e-12 leaves nothing"}},
		"longer than the trace":  {"--trace " + good + " --duration 9s", []string{"--duration: 9s is longer than the trace, which takes 2s"}},
		"bad schedule":           {"--schedule 1s@5,1x@5,1s@5..", []string{"--schedule: phase 2", "phase 3"}},
		"no header":              {"--rate 5 --header secret", []string{"--header: number 1 is not"}},
		"the type as a header":   {"--rate 5 --header Content-Type:a/b", []string{"--header: Content-Type is what --content-type says"}},
		"the connection's own":   {"--rate 5 --header content-length:5", []string{"--header: Content-Length is the connection's own"}},
		"a header twice":         {"--rate 5 --header a:1 --header A:2", []string{"--header: A is given twice"}},
		"a header that is empty": {"--rate 5 --header=", []string{"--header: number 1 is not"}},
		"names that are empty":   {"--rate 5 --plot= --body= --content-type=", []string{"--plot: it is empty; name a file, or leave it out", "--body: it is empty", "--content-type: it is empty"}},
		"no trace, no schedule":  {"--trace= --schedule=", []string{"--trace: it is empty", "--schedule: it is empty"}},
		"a body without an end":  {"--rate 5 --body /dev/zero", []string{"--body: /dev/zero has more than 134217728 bytes"}},
		"drawn over the body":    {"--rate 5 --body " + good + " --plot " + good, []string{"--plot: it is the file of --body, and would be written over"}},
		"drawn over the trace":   {"--trace " + good + " --plot " + filepath.Dir(good) + "/../" + filepath.Base(filepath.Dir(good)) + "/good.csv", []string{"--plot: it is the file of --trace"}},
		"drawn over by a link":   {"--trace " + good + " --plot " + link, []string{"--plot: it is the file of --trace"}},
		"nowhere to draw":        {"--rate 5 --plot nosuch/run.svg --body nosuch", []string{"--plot: open nosuch/run.svg", "--body: open nosuch"}},
		"scaled beyond sense":    {"--trace " + good + " --scale-rate 1e300", []string{"--scale-rate: at 1e+300 the trace has up to 5e+300 queries/s, and no process sends more than 1000000"}},
		"scaled a bit too much":  {"--trace " + good + " --scale-rate 200001", []string{"--scale-rate: at 200001 the trace has"}},
		"longer than all time":   {"--trace " + good + " --scale-time 1e12", []string{"--scale-time: at 1e+12 the trace takes more than 100 years; give a smaller one"}},
		"longer, and infinite":   {"--trace " + good + " --scale-time 1e300", []string{"--scale-time: at 1e+300 the trace takes more"}},
		"several lines in a key": {"--rate 5 --header a:1\nb:2", []string{"--header: number 1 is not"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, status, err := runLoad(t, append(strings.Split(strings.TrimSpace(server.URL+" "+c.args), " "), "--json")...)
			require.Error(t, err)
			require.Equal(t, 1, status)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "secret")
			require.Empty(t, out)
		})
	}
	_, _, err := runLoad(t, "localhost:80", "--rate", "5")
	require.ErrorContains(t, err, "URL: it is not an address such as http://")
	_, _, err = runLoad(t, "http://127.0.0.1:99999/", "--rate", "5")
	require.ErrorContains(t, err, "URL: 99999 is no port, which is from 1 to 65535")
	raw, err := os.ReadFile(good)
	require.NoError(t, err)
	require.Equal(t, "second,requests\n0,1\n1,5\n", string(raw), "it was written over")
	require.Zero(t, sent.Load(), "something was sent")
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
	require.Equal(t, "12s", cut("12s of", 3))
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
