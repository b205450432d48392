package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/dynamic"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// childEnv says that a test started this binary again, to write until it is killed.
const childEnv = "SCANFLOW_LEDGER_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		testcluster.Main(m)
	}
	if err := childWrites(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const agent = "mlperf/planner"

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shared is the cluster of all tests, with the definition in it.
func shared(t *testing.T) *testcluster.Cluster {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "ledgers")
	return c
}

// history is a real journal in a folder of its own.
func history(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "journal"), journal.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// begin opens a ledger that is not closed at the test's end, but stopped where it is.
func begin(t *testing.T, o Options) *Ledger {
	t.Helper()
	if o.History == nil {
		o.History = history(t)
	}
	if o.Name == "" {
		o.Name = "planner-0"
	}
	if o.Clock == nil {
		o.Clock = clock{day}
	}
	l, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { crash(l) })
	return l
}

// clock stands in the tests' day, and sleeps in real time.
type clock struct{ now time.Time }

func (c clock) Now() time.Time { return c.now }

func (clock) Timer(d time.Duration) (<-chan time.Time, func()) { return engine.WallClock{}.Timer(d) }

// crash ends a ledger as a kill would: whatever waits is lost.
func crash(l *Ledger) {
	l.stop()
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if !closed {
		close(l.closing)
	}
	<-l.done
}

func closed(t *testing.T, l *Ledger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, l.Close(ctx))
}

func intent(identity string, n int) engine.Intent {
	id := engine.TargetID{Kind: "Deployment", Namespace: "mlperf", Name: fmt.Sprintf("server-%03d", n)}
	return engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: identity, Agent: agent, Target: id.Target(), Strategy: "serving.autoscale", Primitive: "scale", With: map[string]any{"replicas": 4.0}}, Diff: "replicas 1 -> 4", Data: []byte(`{"from":1,"resourceVersion":"184467"}`)},
		Firing: "f", Claim: "replicas", Direction: engine.Up, At: day.Add(time.Duration(n) * time.Second),
	}
}

// firing has an intent for each identity.
func firing(id string, identities ...string) engine.FiringRecord {
	f := engine.FiringRecord{ID: id, Agent: agent, At: day, Trigger: engine.TriggerInfo{Name: "tick", Kind: "every"}}
	for i, identity := range identities {
		f.Intents = append(f.Intents, intent(identity, i))
	}
	return f
}

func done(identity string) engine.Conclusion {
	return engine.Conclusion{Identity: identity, Outcome: engine.Outcome{Status: engine.Done, Detail: "4 ready"}, At: day.Add(time.Minute)}
}

// picture is all that a ledger answers, by identity where the order says nothing.
type picture struct {
	Open  []string
	Acts  map[string]engine.Status
	Notes []engine.Note
	Inbox []string
}

func look(t *testing.T, l *Ledger) picture {
	t.Helper()
	p := picture{Acts: map[string]engine.Status{}}
	open, err := l.Open(t.Context(), agent)
	require.NoError(t, err)
	for _, in := range open {
		p.Open = append(p.Open, in.Identity)
	}
	r, err := l.Remember(t.Context(), agent, time.Time{})
	require.NoError(t, err)
	for _, a := range r.Acts {
		_, twice := p.Acts[a.Identity]
		require.False(t, twice, "act %s is there twice", a.Identity)
		p.Acts[a.Identity] = a.Outcome.Status
	}
	p.Notes = r.Notes
	events, err := l.Inbox(t.Context(), agent, -1)
	require.NoError(t, err)
	for _, e := range events {
		p.Inbox = append(p.Inbox, e.ID)
	}
	return p
}

func same(t *testing.T, want, got any) {
	t.Helper()
	require.Empty(t, cmp.Diff(want, got))
}

// requests returns the number of requests that a client has made.
func requests(c *apiclient.Client) (n int64) {
	for _, of := range c.Requests() {
		n += of
	}
	return n
}

// faults is a connection whose requests a test can spoil on their way.
type faults struct {
	mu    sync.Mutex
	spoil func(r *http.Request, next http.RoundTripper) (*http.Response, error)
}

func (f *faults) set(spoil func(*http.Request, http.RoundTripper) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spoil = spoil
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func connect(t *testing.T, c *testcluster.Cluster) (*apiclient.Client, *faults) {
	t.Helper()
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	f := &faults{}
	gate := client.Config.WrapTransport
	client.Config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return gate(tripper(func(r *http.Request) (*http.Response, error) {
			f.mu.Lock()
			spoil := f.spoil
			f.mu.Unlock()
			if spoil == nil {
				return next.RoundTrip(r)
			}
			return spoil(r, next)
		}))
	}
	client.Dynamic, err = dynamic.NewForConfig(client.Config)
	require.NoError(t, err)
	return client, f
}

var errCut = errors.New("the connection was cut")

// swallow sends a request and loses its answer.
func swallow(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	return nil, errors.Join(errCut, resp.Body.Close())
}

func isWrite(r *http.Request) bool { return r.Method != http.MethodGet }
