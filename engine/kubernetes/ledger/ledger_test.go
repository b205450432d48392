package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// TestTheNextLeaderKnows writes one of everything and opens the log again with an
// empty history.
func TestTheNextLeaderKnows(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)

	asked, later := engine.Event{ID: "e1", Source: "s", Type: "x", Data: map[string]any{"n": 1.0}}, engine.Event{ID: "e2", Source: "s", Type: "x"}
	for _, e := range []engine.Event{asked, later} {
		fresh, err := l.Enqueue(ctx, []engine.Envelope{{Event: e, Agents: []string{agent}}})
		require.NoError(t, err)
		require.Equal(t, 1, fresh)
	}
	f := firing("f1", "a", "b")
	f.Trigger.Event = &asked
	f.Notes = []engine.Note{{Target: f.Intents[0].Target.ID(), Strategy: "serving.autoscale", Value: map[string]any{"step": 2.0}}}
	f.Intents[1].Irreproducible = true
	require.NoError(t, l.RecordFiring(ctx, f))
	require.NoError(t, l.Conclude(ctx, done("a")))
	require.NoError(t, l.Began(ctx, "a"), "too late, and no harm")
	require.NoError(t, l.Began(ctx, "b"))
	require.ErrorIs(t, l.Began(ctx, "nobody's"), ErrNotFound)
	f.Intents[1].Begun = true
	want := picture{Open: []string{"b"}, Acts: map[string]engine.Status{"a": engine.Done, "b": engine.Running}, Notes: f.Notes, Inbox: []string{"e2"}}
	same(t, want, look(t, l))
	closed(t, l)

	l = begin(t, o)
	same(t, want, look(t, l))
	open, err := l.Open(ctx, agent)
	require.NoError(t, err)
	same(t, []engine.Intent{f.Intents[1]}, open)
	fresh, err := l.Enqueue(ctx, []engine.Envelope{{Event: asked, Agents: []string{agent}}})
	require.NoError(t, err)
	require.Zero(t, fresh, "a handled event was taken again")
	require.NoError(t, l.Conclude(ctx, done("b")), "an intent of the leader before, that this history never saw")
	r, err := l.o.History.Remember(ctx, agent, time.Time{})
	require.NoError(t, err)
	require.Len(t, r.Acts, 1)
	require.ErrorIs(t, l.Conclude(ctx, done("nobody's")), ErrNotFound)
	require.Error(t, l.Conclude(ctx, engine.Conclusion{Identity: "b", Outcome: engine.Outcome{Status: engine.Running}}))
}

func TestAQuietFiringAsksNothingOfTheCluster(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	l := begin(t, Options{Client: client, Namespace: c.Namespace(t)})
	before := requests(client)
	for i := range 10 {
		f := firing(fmt.Sprint("q", i))
		f.Notes = []engine.Note{{Strategy: "s"}}
		require.NoError(t, l.RecordFiring(t.Context(), f))
	}
	require.Equal(t, before, requests(client))
}

// TestAThousandActs counts what they cost the API server.
func TestAThousandActs(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	o := Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	random := rand.New(rand.NewPCG(7, 7))
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())
	}
	f := firing("f1", names...)
	before, start := requests(client), time.Now()
	require.NoError(t, l.RecordFiring(t.Context(), f))
	t.Logf("1,000 intents: %d requests, %s, the object has %d bytes", requests(client)-before, time.Since(start), l.current.size())
	require.LessOrEqual(t, requests(client)-before, int64(3), "a segment, its listing, the record")
	require.Less(t, l.current.size(), 256<<10)

	before, start = requests(client), time.Now()
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for _, name := range names {
		<-pace.C
		require.NoError(t, l.Conclude(t.Context(), done(name)))
	}
	closed(t, l)
	t.Logf("1,000 conclusions over %s: %d requests", time.Since(start), requests(client)-before)
	require.LessOrEqual(t, requests(client)-before, int64(time.Since(start)/l.o.Gather)+10, "one at most in each time of gathering")

	again := look(t, begin(t, o))
	require.Empty(t, again.Open)
	require.Len(t, again.Acts, 1000)
}

func TestATooLargeFiringIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	l := begin(t, Options{Client: client, Namespace: c.Namespace(t)})
	f := firing("f1", "a")
	tooLarge := noise(2 << 20)
	f.Intents[0].With["manifest"] = tooLarge
	before := requests(client)
	require.ErrorIs(t, l.RecordFiring(t.Context(), f), ErrTooLarge)
	_, err := l.Enqueue(t.Context(), []engine.Envelope{{Event: engine.Event{ID: "e", Source: "s", Data: tooLarge}, Agents: []string{agent}}})
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, before, requests(client))
	same(t, picture{Acts: map[string]engine.Status{}}, look(t, l))
}

// TestTheDeposedWritesNothing opens a log twice.
func TestTheDeposedWritesNothing(t *testing.T) {
	for name, withSegment := range map[string]bool{"that had written": true, "that had not": false} {
		t.Run(name, func(t *testing.T) {
			c := shared(t)
			ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
			old := begin(t, o)
			want := picture{Acts: map[string]engine.Status{}}
			if withSegment {
				require.NoError(t, old.RecordFiring(ctx, firing("f1", "a")))
				want = picture{Open: []string{"a"}, Acts: map[string]engine.Status{"a": engine.Running}}
			}
			young := begin(t, o)
			same(t, want, look(t, young))
			require.ErrorIs(t, old.RecordFiring(ctx, firing("f2", "b")), apiclient.ErrDeposed)
			require.ErrorIs(t, old.RecordFiring(ctx, firing("f3")), apiclient.ErrDeposed, "a quiet one")
			_, err := old.Enqueue(ctx, []engine.Envelope{{Event: engine.Event{ID: "e", Source: "s"}, Agents: []string{agent}}})
			require.ErrorIs(t, err, apiclient.ErrDeposed)
			require.NoError(t, young.RecordFiring(ctx, firing("f4", "c")))
			closed(t, young)

			want.Open, want.Acts["c"] = append(want.Open, "c"), engine.Running
			same(t, want, look(t, begin(t, o)))
		})
	}
}

func TestTheDeposedAnswersNothing(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	old := begin(t, o)
	posted(t, old, engine.Envelope{Event: asked("e1"), Agents: []string{agent}, To: to("https://a")})
	require.NoError(t, old.SaveApproval(ctx, engine.ApprovalChange{Approval: question("q1", engine.ApprovalWaiting)}))
	want := leaf(t, old)
	young := begin(t, o)
	_, err := old.Enqueue(ctx, []engine.Envelope{{Event: asked("e2"), Agents: []string{agent}}})
	require.ErrorIs(t, err, apiclient.ErrDeposed)
	for name, do := range map[string]func() error{
		"Post": func() error {
			_, err := old.Enqueue(ctx, []engine.Envelope{{Event: asked("e3"), To: to("b")}})
			return err
		},
		"Inbox":     func() error { _, err := old.Inbox(ctx, agent, 1); return err },
		"Outbox":    func() error { _, err := old.Outbox(ctx, 1); return err },
		"Settle":    func() error { return old.Ack(ctx, nil) },
		"Bury":      func() error { return old.DeadLetter(ctx, agent, asked("e1"), "") },
		"Letters":   func() error { _, err := old.Messages(ctx, "", 1); return err },
		"Resend":    func() error { _, err := old.Redeliver(ctx, []string{"x"}); return err },
		"Approvals": func() error { _, err := old.Approvals(ctx, "", day); return err },
		"Approval":  func() error { _, err := old.Approval(ctx, "q1"); return err },
		"SaveApproval": func() error {
			return old.SaveApproval(ctx, engine.ApprovalChange{Approval: question("q2", engine.ApprovalWaiting)})
		},
		"Began":    func() error { return old.Began(ctx, "a") },
		"Open":     func() error { _, err := old.Open(ctx, agent); return err },
		"Remember": func() error { _, err := old.Remember(ctx, agent, day); return err },
	} {
		require.ErrorIs(t, do(), apiclient.ErrDeposed, name)
	}
	same(t, want, leaf(t, young))
}

// Of several processes that open the ledger at once, exactly one may write.
func TestManyOpenAtOnce(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	closed(t, func() *Ledger {
		l := begin(t, o)
		require.NoError(t, l.RecordFiring(ctx, firing("f", "before")))
		return l
	}())
	const n = 6
	type opened struct {
		id  string
		err error
	}
	results := make(chan opened, n)
	for i := range n {
		o := o
		o.Name, o.Clock, o.History = "planner-0", clock{day}, history(t)
		go func() {
			id := fmt.Sprint("a", i)
			l, err := Open(ctx, o)
			if err == nil {
				err = l.RecordFiring(ctx, firing("f"+id, id))
				crash(l)
			}
			results <- opened{id, err}
		}()
	}
	want := picture{Open: []string{"before"}, Acts: map[string]engine.Status{"before": engine.Running}}
	for range n {
		if r := <-results; r.err == nil {
			want.Acts[r.id] = engine.Running
		} else {
			require.ErrorIs(t, r.err, apiclient.ErrDeposed)
		}
	}
	got := look(t, begin(t, o))
	require.NotEqual(t, 1, len(got.Acts), "the last to open it may write")
	same(t, want.Acts, got.Acts)
}

// TestTheHistoryFails has the cluster's record taken back.
func TestTheHistoryFails(t *testing.T) {
	c := shared(t)
	h := history(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t), History: h}
	l := begin(t, o)
	e := engine.Event{ID: "e1", Source: "s", Type: "x"}
	posted(t, l, engine.Envelope{Event: e, Agents: []string{agent}})
	f := firing("f1", "a")
	f.Trigger.Event, f.Notes = &e, []engine.Note{{Target: f.Intents[0].Target.ID(), Strategy: "s", Value: 1.0}}
	require.NoError(t, h.Close())
	require.Error(t, l.RecordFiring(ctx, f))
	want := picture{Acts: map[string]engine.Status{"a": engine.Abandoned}, Inbox: []string{"e1"}}
	same(t, want, look(t, l))
	closed(t, l)
	o.History = nil
	same(t, want, look(t, begin(t, o)))
}

func TestManyAtOnceShareWrites(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	o := Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	before := requests(client)
	const n = 200
	errs := make(chan error, 2*n)
	fresh := make(chan int, n)
	for i := range n {
		go func() { errs <- l.RecordFiring(context.Background(), firing(fmt.Sprint("f", i), fmt.Sprint("a", i))) }()
		go func() {
			got, err := l.Enqueue(context.Background(), []engine.Envelope{{Event: engine.Event{ID: fmt.Sprint("e", i/2), Source: "s"}, Agents: []string{agent}}})
			fresh <- got
			errs <- err
		}()
	}
	for range 2 * n {
		require.NoError(t, <-errs)
	}
	first := 0
	for range n {
		first += <-fresh
	}
	require.Equal(t, n/2, first, "each event came twice")
	t.Logf("%d writers: %d requests", 2*n, requests(client)-before)
	require.Less(t, requests(client)-before, int64(n/2))
	closed(t, l)
	again := look(t, begin(t, o))
	require.Len(t, again.Open, n)
	require.Len(t, again.Inbox, n/2)
}

func TestOptionsNameEveryMistake(t *testing.T) {
	_, err := Open(t.Context(), Options{Name: "Not a label", SegmentBytes: 7})
	for _, want := range []string{"Client", "History", "Not a label", "Namespace", "SegmentBytes"} {
		require.ErrorContains(t, err, want)
	}
}
