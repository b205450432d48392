package tracker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

// object is a JSON object of a request or an answer.
type object = map[string]any

// listOf makes a JSON list.
func listOf(values ...any) []any { return values }

// client is an HTTP client of a tracker.
type client struct {
	t    testing.TB
	base string
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// dayMillis is the time at which tests begin.
const dayMillis = 1_772_366_400_000

func newClock() *clock { return &clock{now: time.UnixMilli(dayMillis)} }

// source is a random source with the same bytes in every test.
type source struct{ *rand.ChaCha8 }

func seeded() io.Reader { return source{rand.NewChaCha8([32]byte{1})} }

// start serves a fresh tracker until the test ends.
func start(t testing.TB, change ...func(*Options)) (*client, *clock) {
	t.Helper()
	c := newClock()
	o := Options{Dir: t.TempDir(), Now: c.Now, Random: seeded(), Log: hclog.New(&hclog.LoggerOptions{Output: testLog{t}, Level: hclog.Warn})}
	for _, f := range change {
		f(&o)
	}
	tr, err := Open(t.Context(), o)
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	t.Cleanup(func() {
		web.Close()
		require.NoError(t, tr.Close())
	})
	return &client{t, web.URL}, c
}

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// do sends a request, and returns the status and the JSON of the answer.
func (c *client) do(method, path string, body any) (int, object) {
	c.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = bytes.NewReader([]byte(b))
	default:
		raw, err := json.Marshal(b)
		require.NoError(c.t, err)
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, in)
	require.NoError(c.t, err)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, "application/json", res.Header.Get("Content-Type"), string(raw))
	out := object{}
	require.NoError(c.t, json.Unmarshal(raw, &out), string(raw))
	return res.StatusCode, out
}

const api = "/api/2.0/mlflow"

// ok sends an API request that must succeed.
func (c *client) ok(method, path string, body any) object {
	c.t.Helper()
	status, out := c.do(method, api+path, body)
	require.Equal(c.t, http.StatusOK, status, "%s %s: %v", method, path, out)
	return out
}

func (c *client) post(path string, body any) object {
	c.t.Helper()
	return c.ok(http.MethodPost, path, body)
}

func (c *client) get(path string) object {
	c.t.Helper()
	return c.ok(http.MethodGet, path, nil)
}

// at returns a value within an answer by its path: names in objects, indices in lists.
func at(t testing.TB, v any, way ...any) any {
	t.Helper()
	for _, step := range way {
		switch s := step.(type) {
		case string:
			require.IsType(t, object{}, v, "%v", way)
			require.Contains(t, v, s)
			v = v.(object)[s]
		case int:
			require.IsType(t, []any{}, v, "%v", way)
			require.Greater(t, len(v.([]any)), s)
			v = v.([]any)[s]
		}
	}
	return v
}

func (c *client) experiment(name string) string {
	c.t.Helper()
	return at(c.t, c.post("/experiments/create", object{"name": name}), "experiment_id").(string)
}

func (c *client) run(experiment string) string {
	c.t.Helper()
	return at(c.t, c.post("/runs/create", object{"experiment_id": experiment}), "run", "info", "run_id").(string)
}

// buildDir is the folder of the programs that tests build.
var buildDir string

// childEnv names the part of a test binary that a test starts as a child.
const childEnv = "SCANFLOW_TRACKER_CHILD"

// parts are the functions that a child can run. Each test file adds its own.
var parts = map[string]func(dir string) error{"serve": childServes}

func TestMain(m *testing.M) {
	if part := os.Getenv(childEnv); part != "" {
		if err := parts[part](os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if buildDir, err = os.MkdirTemp("", "tracker"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(buildDir) }()
	return m.Run()
}

// raw sends a request, and returns the status and the body.
func (c *client) raw(method, path string, body io.Reader) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	require.NoError(c.t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, string(raw)
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}
