package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/server/hostile"
)

const (
	// childEnv makes this binary run the server of a test in another process, to measure its
	// memory.
	childEnv = "SCANFLOW_SERVER_CHILD"
	// largeBytes is just below the size limit of a body.
	largeBytes = 3_900_000
	// mostResident bounds the peak memory of the child, in bytes. It uses 60 MiB before anything
	// is sent, and about 300 after; it used 2 GB with 16 events before there was a limit.
	mostResident = raceFactor * 600 << 20
)

// looking is a strategy that reads the event, so that documents contain it.
const looking = `package scanflow.strategies.t.looking

propose contains {"primitive": "scale", "with": {"replicas": 1}, "reason": "never", "because": []} if {
	input.trigger.event.data.never == "true"
}
`

// TestServeForAParent runs the child.
func TestServeForAParent(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("for the process that the other tests of this file start")
	}
	log := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Debug})
	j, err := journal.Open(t.Context(), dir, journal.Options{Log: log})
	require.NoError(t, err)
	policies := policy.NewStore(source.FromFS(fstest.MapFS{"p.rego": {Data: []byte(looking)}}), policy.StoreOptions{})
	require.NoError(t, policies.Load(t.Context()))
	metrics := NewMetrics(Sources{Version: "v1"})
	h := loop.New(loop.Config{Journal: j, Policies: policies, Log: log, Observer: metrics})
	filter := func(types ...string) *engine.EventFilter { return &engine.EventFilter{Types: types} }
	h.Apply([]engine.Spec{{
		AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "handles"}, Mode: engine.Enforce, Fleet: engine.StaticFleet{{Namespace: "ns", Name: "web"}},
		Triggers:   []engine.Trigger{{Name: "asked", Event: filter(hostile.Type)}, {Name: "alert", Alert: filter(engine.AlertFiring)}},
		Strategies: []string{"t.looking"}, Primitives: []string{"scale"}, Generation: "1",
	}})
	s := serveOn(t, "127.0.0.1:0", Options{Receive: h.Router.Receive, Log: log, Registry: metrics.Registry(), ReadTimeout: 2 * time.Second, Clock: engine.WallClock{}})
	fmt.Println("address", s.Addr())
	_, err = io.Copy(io.Discard, os.Stdin) // until the parent has enough
	require.NoError(t, err)
	require.Eventually(t, func() bool { // what was taken is handled, which costs memory too
		boxes, err := j.Depths(t.Context())
		return err == nil && boxes.Inbox == 0
	}, 2*time.Minute, 10*time.Millisecond)
	h.Close()
	require.NoError(t, j.Close())
	fmt.Println("peak", resident(t))
}

// child is a server in another process.
type child struct {
	t       testing.TB
	address string
	stop    func() (peak int64) // in bytes; 0 is unknown

	mu  sync.Mutex
	log bytes.Buffer
}

func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(p)
}

func startChild(t testing.TB) *child {
	t.Helper()
	c := &child{t: t}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeForAParent$", "-test.count=1", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), childEnv+"="+t.TempDir())
	cmd.Stderr = c
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	says := func(name string) (value string) {
		for lines.Scan() {
			if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
				return value
			}
		}
		return ""
	}
	c.stop = sync.OnceValue(func() int64 {
		require.NoError(t, stdin.Close())
		kib, _ := strconv.ParseInt(says("peak"), 10, 64)
		_, _ = io.Copy(io.Discard, stdout)
		require.NoError(t, cmd.Wait(), "the server's process: %s", c.log.String())
		return kib << 10
	})
	t.Cleanup(func() { c.stop() })
	c.address = says("address")
	require.NotEmpty(t, c.address)
	return c
}

// resident is the peak memory of this process, in KiB; 0 if it is unknown.
func resident(t *testing.T) int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(raw), "VmHWM:")
	require.True(t, found)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib
}

// send returns the status and the body of the response; 0 if the connection was closed while
// sending.
func (c *child) send(p *hostile.Payload) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.address+p.Path, strings.NewReader(p.Body))
	require.NoError(c.t, err)
	for i := 0; i < len(p.Headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(p.Headers[i])] = append(r.Header[http.CanonicalHeaderKey(p.Headers[i])], p.Headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, string(body)
}

func (c *child) get(path string) (int, string) {
	c.t.Helper()
	status, _, body := answer(c.t.(*testing.T), http.MethodGet, "http://"+c.address+path)
	return status, body
}

// well requires that a normal event is accepted.
func (c *child) well(after string) {
	c.t.Helper()
	normal := hostile.Payload{Path: "/v1/events", Headers: []string{"Content-Type", structured}, Body: event("after "+strconv.Quote(after)[1:min(len(after), 40)], hostile.Type)}
	status, body := c.send(&normal)
	require.Equal(c.t, http.StatusAccepted, status, "a normal event after %q: %s", after, body)
}

// harmless requires that the response to hostile input is short and has no control characters.
func harmless(t testing.TB, name, text string, most int) {
	t.Helper()
	require.Less(t, len(text), most, "%s: %.200q", name, text)
	require.True(t, utf8.ValidString(text), name)
	require.NotContains(t, text, hostile.Secret, name)
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		require.GreaterOrEqual(t, r, ' ', "%s: %.200q", name, text)
		require.NotEqual(t, r, '\u202e', "%s: %.200q", name, text)
	}
}

// Hostile input gets the right status and a short response, the log has none of the data, memory
// is bounded, and a normal event is accepted right afterwards.
func TestWhatIsHostileDoesNoHarm(t *testing.T) {
	c := startChild(t)
	payloads := hostile.Payloads(largeBytes)
	require.Greater(t, len(payloads), 40)
	for _, p := range payloads {
		status, body := c.send(&p)
		if status == 0 && slices.ContainsFunc(p.Status, func(want int) bool { return want >= 400 }) {
			continue // refused while it was still being sent
		}
		assert.Contains(t, p.Status, status, "%s: %.300s", p.Name, body)
		if status >= 400 && status < 500 {
			harmless(t, p.Name, body, 16<<10)
		}
		c.well(p.Name)
	}
	wires := hostile.RawRequests(c.address, largeBytes)
	for _, w := range wires {
		assert.Contains(t, w.Status, c.write(w), w.Name)
		c.well(w.Name)
	}
	status, metrics := c.get("/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, metrics, `scanflow_firings_total{agent="ns/handles",trigger="event"}`)
	require.NotContains(t, strings.ReplaceAll(metrics, "promhttp", ""), "hostile", "no label comes from an event")
	require.Less(t, strings.Count(metrics, "\n"), 1000, "however many events there were")
	most := c.stop()
	t.Logf("%d payloads and %d requests on the wire: resident %d MiB at most", len(payloads), len(wires), most>>20)
	require.Less(t, most, int64(mostResident))
	for line := range strings.Lines(c.log.String()) {
		harmless(t, "the log", line, 2<<10)
	}
}

// write returns the status of the response to a raw request.
func (c *child) write(w hostile.RawRequest) int {
	c.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.t.Context(), "tcp", c.address)
	require.NoError(c.t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(c.t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	done := make(chan struct{})
	go func() { // the server may answer, and close, before it has read all
		defer close(done)
		_, _ = io.WriteString(conn, w.Text)
	}()
	defer func() { _ = conn.Close(); <-done }()
	head := make([]byte, len("HTTP/1.1 200"))
	if n, err := io.ReadFull(conn, head); err != nil {
		require.NotErrorIs(c.t, err, os.ErrDeadlineExceeded, "%s: the server keeps the connection; read %d bytes", w.Name, n)
		return hostile.Closed
	}
	status, err := strconv.Atoi(string(head[len("HTTP/1.1 "):]))
	require.NoError(c.t, err, "%q", head)
	return status
}

// Sixteen concurrent events with 3.9 MB of empty arrays, of a type that an agent accepts and of
// one that no agent accepts; and with the maximum number of values.
func TestManyLargeEventsAtOnceHaveBoundedMemory(t *testing.T) {
	sized := func(kind, data string) hostile.Payload {
		return hostile.Payload{Path: "/v1/events", Headers: []string{"Content-Type", structured}, Body: strings.Replace(event("ID", kind), "}", `,"data":`+data+"}", 1)}
	}
	arrays := "[" + strings.Repeat("[],", largeBytes/3) + "[]]"
	allowed := "[" + strings.Repeat("[],", 99_000) + `"` + strings.Repeat("x", largeBytes-300_000) + `"]`
	for name, row := range map[string]struct {
		payload hostile.Payload
		status  []int
	}{
		"taken":                {sized(hostile.Type, arrays), []int{413}},
		"nobody takes":         {sized("nobody.takes", arrays), []int{413}},
		"allowed":              {sized(hostile.Type, allowed), []int{202}},
		"allowed, nobody's":    {sized("nobody.takes", allowed), []int{404}},
		"batches of as many":   {hostile.Payload{Path: "/v1/events", Headers: []string{"Content-Type", hostile.Batched}, Body: "[" + strings.Repeat("[[],[]],", largeBytes/8) + "[]]"}, []int{400, 413}},
		"a group of as many":   {hostile.Payload{Path: "/v1/alerts", Headers: []string{"Content-Type", "application/json"}, Body: `{"version":"4","receiver":"r","alerts":` + arrays + "}"}, []int{400, 413}},
		"texts of as much":     {sized(hostile.Type, `"`+strings.Repeat("x", largeBytes)+`"`), []int{202}},
		"members of as much":   {sized(hostile.Type, "{"+manyMembers(30_000)+"}"), []int{202}},
		"a batch of as much":   {hostile.Payload{Path: "/v1/events", Headers: []string{"Content-Type", hostile.Batched}, Body: "[" + strings.Repeat("{},", 900) + "{}]"}, []int{400}},
		"a text for the other": {sized("nobody.takes", `"`+strings.Repeat("x", largeBytes)+`"`), []int{404}},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChild(t)
			var wg sync.WaitGroup
			answers := make(chan int, 16)
			for i := range cap(answers) {
				wg.Go(func() {
					p := row.payload
					p.Body = strings.Replace(p.Body, `"ID"`, strconv.Quote(fmt.Sprint(i)), 1)
					status, _ := c.send(&p)
					answers <- status
				})
			}
			wg.Wait()
			close(answers)
			taken := 0
			for status := range answers {
				if slices.Contains(row.status, status) {
					taken++
					continue
				}
				// The sender tries again later. On a busy machine a body may arrive too slowly.
				require.Contains(t, []int{http.StatusServiceUnavailable, http.StatusRequestTimeout, 0}, status)
			}
			require.NotZero(t, taken)
			c.well(name)
			most := c.stop()
			t.Logf("%d of 16 answered, the others asked to try again: resident %d MiB", taken, most>>20)
			require.Less(t, most, int64(mostResident))
		})
	}
}

func manyMembers(n int) string {
	var out strings.Builder
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `"key-%d":{}`, i)
	}
	return out.String()
}
