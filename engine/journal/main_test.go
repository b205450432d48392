package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// childEnv names the function that this binary runs when a test starts it as a child.
const childEnv = "SCANFLOW_JOURNAL_CHILD"

// parts are the functions of a child; a file for one operating system may add its own.
var parts = map[string]func(dir string) error{"write": childWrites, "hold": childHolds, "readonly": childReadOnly}

func TestMain(m *testing.M) {
	part := os.Getenv(childEnv)
	if part == "" {
		os.Exit(m.Run())
	}
	if err := parts[part](os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a command that runs a function of this binary on a folder.
func child(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	if runtime.GOOS == "linux" {
		binary = "/proc/self/exe" // a child of another user may not reach the folder of the binary
	}
	cmd := exec.CommandContext(t.Context(), binary, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+part)
	cmd.Stderr = os.Stderr
	return cmd
}

// manualClock only advances when a test calls Pass.
type manualClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer
}

type manualTimer struct {
	at time.Time
	c  chan time.Time
}

func newClock() *manualClock { return &manualClock{now: day} }

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &manualTimer{c.now.Add(d), make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	return t.c, func() {}
}

// Pass advances the time and fires the timers that are due.
func (c *manualClock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	kept := c.timers[:0]
	for _, t := range c.timers {
		if t.at.After(c.now) {
			kept = append(kept, t)
		} else {
			t.c <- c.now
		}
	}
	c.timers = kept
}

// Sleepers returns the number of pending timers.
func (c *manualClock) Sleepers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

func open(t testing.TB, dir string, opts Options) *Journal {
	t.Helper()
	if opts.Log == nil {
		opts.Log = hclog.New(&hclog.LoggerOptions{Output: hclog.DefaultOutput, Level: hclog.Off})
	}
	if opts.PruneEvery == 0 {
		opts.PruneEvery = 1000 * time.Hour
	}
	j, err := Open(context.Background(), dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func reader(t testing.TB, j *Journal) *Reader {
	t.Helper()
	r, err := j.Reader()
	require.NoError(t, err)
	return r
}

// rows counts the rows of every table.
func rows(t testing.TB, j *Journal) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, table := range []string{"firings", "decisions", "documents", "acts", "notes", "readings", "inbox", "outbox", "approvals", "meta"} {
		n, err := j.queryInt(context.Background(), `SELECT count(*) FROM `+table)
		require.NoError(t, err)
		out[table] = n
	}
	return out
}

// put posts events to an agent, and returns how many were new.
func put(t testing.TB, j *Journal, agent string, events ...engine.Event) int {
	t.Helper()
	fresh, err := j.Enqueue(context.Background(), postings([]string{agent}, nil, events...))
	require.NoError(t, err)
	return fresh
}

// postings are events with the same destination.
func postings(agents []string, to []engine.Destination, events ...engine.Event) []engine.Envelope {
	out := make([]engine.Envelope, len(events))
	for i, e := range events {
		out[i] = engine.Envelope{Event: e, Agents: agents, To: to}
	}
	return out
}

func event(source, id string) engine.Event {
	return engine.Event{ID: id, Source: source, Type: "dev.scanflow.retrain.requested", Time: day, Data: map[string]any{"runs": []any{1.0}}, Hops: 1, Sender: "a/x"}
}

// handle records a firing of an agent that an event triggered.
func handle(t testing.TB, j *Journal, firing, agent string, e engine.Event) {
	t.Helper()
	f := firingOf(firing, day, 0)
	f.Agent, f.Trigger = agent, engine.TriggerInfo{Name: "asked", Kind: "event", Event: &e}
	require.NoError(t, j.RecordFiring(context.Background(), f))
}

// bodyBytes is the size of an event that counts towards Options.MailBytes.
func bodyBytes(e engine.Event) int64 {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return int64(len(raw))
}

// soundCounts compares the writer's counts with the tables.
func soundCounts(t require.TestingT, j *Journal) {
	ctx := context.Background()
	var kept, fresh queueSizes
	require.NoError(t, j.writer.do(ctx, func(ctx context.Context, s *store) error {
		kept = queueSizes{waiting: maps.Clone(s.sizes.waiting), bytes: s.sizes.bytes, lastSeq: s.sizes.lastSeq}
		err := s.loadQueueSizes(ctx)
		fresh = s.sizes
		s.sizes.lastSeq = kept.lastSeq
		return err
	}))
	require.Equal(t, fresh.waiting, kept.waiting)
	require.Equal(t, fresh.bytes, kept.bytes, "bytes that wait")
	require.GreaterOrEqual(t, kept.lastSeq, fresh.lastSeq)
}

// listing lists the files of a folder with their size and modification time.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		out = append(out, fmt.Sprint(e.Name(), " ", info.Size(), " ", info.ModTime().UnixNano()))
	}
	sort.Strings(out)
	return out
}

func target(n int) engine.TargetID {
	return engine.TargetID{Kind: "Deployment", Namespace: "mlperf", Name: fmt.Sprintf("server-%03d", n)}
}

func intent(identity string, n int) engine.Intent {
	return engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: identity, Agent: "mlperf/planner", Target: target(n).Target(), Strategy: "serving.autoscale", Primitive: "scale", With: map[string]any{"replicas": 4.0}}, Diff: "replicas 1 -> 4", Data: []byte(`{"from":1}`)},
		Firing: "f-1", Claim: "replicas", Direction: engine.Up, At: day.Add(time.Duration(n) * time.Second),
	}
}

func conclude(t testing.TB, j *Journal, identity string, at time.Time) {
	t.Helper()
	require.NoError(t, j.Conclude(context.Background(), engine.Conclusion{Identity: identity, Outcome: engine.Outcome{Status: engine.Done, Detail: "4 ready"}, At: at}))
}

// firingOf is a firing with decisions that have documents of about 3 KB.
func firingOf(id string, at time.Time, decisions int) engine.FiringRecord {
	f := engine.FiringRecord{
		ID: id, Agent: "mlperf/planner", At: at, Trigger: engine.TriggerInfo{Name: "tick", Kind: "every"}, Revision: "9f86d081884c7d65",
		Took: 1500 * time.Microsecond, Targets: 100, Evaluated: decisions, Signals: map[engine.State]int{engine.OK: 99, engine.Empty: 1},
	}
	for i := range decisions {
		f.Decisions = append(f.Decisions, engine.Decision{
			Target: target(i), Strategy: "serving.autoscale", Primitive: "scale", With: map[string]any{"replicas": 4.0}, Priority: 10,
			Reason: "load_high", Because: []string{"requests_per_second"}, Rules: []string{"Scale up"}, Verdict: engine.Admitted,
			Identity: fmt.Sprintf("%s-%d", id, i), Document: document(id, i),
		})
	}
	return f
}

func document(id string, n int) []byte {
	doc := fmt.Appendf(nil, `{"now":%q,"target":%d,"signals":{`, id, n)
	for s := range 30 {
		doc = fmt.Appendf(doc, `"signal_%d":{"state":"ok","value":%d.%d,"age_ns":%d,"window":30000000000},`, s, n*7919+s, s*104729, n*1299709+s)
	}
	return append(doc, `"last":{"state":"empty","window":0}}}`...)
}

func journalPath(dir string) string { return filepath.Join(dir, fileName) }
