package ledger

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
)

// isAppend reports whether a request appends to an existing segment.
func isAppend(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "planner-0-")
}

// TestAnAnswerIsLost cuts the connection at an append and after it, and looks at
// what the firing said and what the next leader finds.
func TestAnAnswerIsLost(t *testing.T) {
	type part struct {
		landed, readable bool
	}
	for name, p := range map[string]part{
		"landed, read back":       {true, true},
		"not sent, read back":     {false, true},
		"landed, not read back":   {true, false},
		"not sent, not read back": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := shared(t)
			client, f := connect(t, c)
			ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t), Patience: time.Second}
			l := begin(t, o)
			e := engine.Event{ID: "e1", Source: "s", Type: "x"}
			posted(t, l, engine.Envelope{Event: e, Agents: []string{agent}})
			require.NoError(t, l.SaveApproval(ctx, change("", approved, "q1")))

			cut := false
			f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				switch {
				case isAppend(r) && !cut:
					cut = true
					if p.landed {
						return swallow(r, next)
					}
					return nil, errCut
				case cut && !p.readable:
					return nil, errCut
				}
				return next.RoundTrip(r)
			})
			one := firing("f1", "a")
			one.Trigger.Event, one.Notes = &e, []engine.Note{{Target: one.Intents[0].Target.ID(), Strategy: "s", Value: 1.0}}
			one.Approvals = []engine.ApprovalChange{change(approved, used, "q1"), change("", waiting, "q2")}
			one.Envelopes = []engine.Envelope{{Event: asked("notice"), Agents: []string{executor}, To: to("https://a")}}
			before := leaf(t, l)
			err := l.RecordFiring(ctx, one)
			f.set(nil)

			want := picture{Open: []string{"a", "b"}, Acts: map[string]engine.Status{"a": engine.Running, "b": engine.Running}, Notes: one.Notes}
			if p.readable {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrUnknown)
				require.True(t, engine.IsRetryable(err))
				want = picture{Open: []string{"b"}, Acts: map[string]engine.Status{"b": engine.Running}, Inbox: []string{"e1"}}
				if p.landed {
					want.Acts["a"] = engine.Abandoned
				}
			}
			require.NoError(t, l.RecordFiring(ctx, firing("f2", "b")))
			same(t, want, look(t, l))
			after := leaf(t, l)
			if p.readable {
				require.Equal(t, map[string][]string{"inbox": {executor + " notice"}, "outbox": {"https://a notice"}}, after.boxes())
				same(t, []engine.Approval{question("q1", used), question("q2", waiting)}, after.Approvals)
			} else {
				same(t, before, after)
			}
			closed(t, l)
			l = begin(t, o)
			same(t, want, look(t, l))
			same(t, after, leaf(t, l))
		})
	}
}

// TestAWriteLandsLate holds an append back until its firing was told that it failed,
// and its event was handled by another firing.
func TestAWriteLandsLate(t *testing.T) {
	c := shared(t)
	client, f := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t), Patience: time.Second}
	l := begin(t, o)
	e := engine.Event{ID: "e1", Source: "s", Type: "x"}
	posted(t, l, engine.Envelope{Event: e, Agents: []string{agent}})

	var err error
	var land func() error
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isAppend(r) && land == nil {
			body := r.Clone(ctx)
			body.Body, err = r.GetBody()
			land = func() error {
				resp, err := next.RoundTrip(body)
				if err != nil {
					return err
				}
				return resp.Body.Close()
			}
		}
		return nil, errCut
	})
	first := firing("f1", "a")
	first.Trigger.Event, first.Notes = &e, []engine.Note{{Target: first.Intents[0].Target.ID(), Strategy: "s", Value: 1.0}}
	require.ErrorIs(t, l.RecordFiring(ctx, first), ErrUnknown)
	require.NoError(t, err)
	require.Equal(t, []string{"e1"}, look(t, l).Inbox)
	require.NoError(t, land())
	f.set(nil)

	second := firing("f2", "b")
	second.Trigger.Event, second.Notes = &e, []engine.Note{{Target: second.Intents[0].Target.ID(), Strategy: "s", Value: 2.0}}
	require.NoError(t, l.RecordFiring(ctx, second))
	want := picture{Open: []string{"b"}, Acts: map[string]engine.Status{"a": engine.Abandoned, "b": engine.Running}, Notes: second.Notes}
	same(t, want, look(t, l))
	closed(t, l)
	same(t, want, look(t, begin(t, o)))
}

// TestTheCallerGivesUp while its write is under way, and while it waits.
func TestTheCallerGivesUp(t *testing.T) {
	c := shared(t)
	client, f := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	e := engine.Event{ID: "e1", Source: "s", Type: "x"}
	posted(t, l, engine.Envelope{Event: e, Agents: []string{agent}})

	arrived, release := make(chan struct{}), make(chan struct{})
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isAppend(r) {
			arrived <- struct{}{}
			<-release
		}
		return next.RoundTrip(r)
	})
	hurried, giveUp := context.WithCancel(ctx)
	errs := make(chan error, 1)
	one := firing("f1", "a")
	one.Trigger.Event = &e
	go func() { errs <- l.RecordFiring(hurried, one) }()
	<-arrived
	waiting, stopWaiting := context.WithCancel(ctx)
	stopWaiting()
	err := l.RecordFiring(waiting, firing("f2", "b"))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrUnknown)
	giveUp()
	require.ErrorIs(t, <-errs, ErrUnknown)
	f.set(nil)
	close(release)
	require.NoError(t, l.RecordFiring(ctx, firing("f3", "c")))
	want := picture{Open: []string{"c"}, Acts: map[string]engine.Status{"a": engine.Abandoned, "c": engine.Running}, Inbox: []string{"e1"}}
	same(t, want, look(t, l))
	closed(t, l)
	same(t, want, look(t, begin(t, o)))
}

// TestTheAnswerToAPersonIsLost, to one who approves and to one who hands an event over,
// and could not be read back.
func TestTheAnswerToAPersonIsLost(t *testing.T) {
	for name, landed := range map[string]bool{"landed": true, "not sent": false} {
		t.Run(name, func(t *testing.T) {
			c := shared(t)
			client, f := connect(t, c)
			ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t), Patience: time.Second}
			l := begin(t, o)
			require.NoError(t, l.SaveApproval(ctx, change("", waiting, "q1")))
			lose := func(do func() error) {
				cut := false
				f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
					if isAppend(r) && !cut && landed {
						cut = true
						return swallow(r, next)
					}
					return nil, errCut
				})
				require.ErrorIs(t, do(), ErrUnknown)
				f.set(nil)
			}
			lose(func() error { return l.SaveApproval(ctx, change(waiting, approved, "q1")) })
			require.NoError(t, l.RecordFiring(ctx, firing("f1", "a")))
			same(t, []engine.Approval{question("q1", waiting)}, leaf(t, l).Approvals)
			require.NoError(t, l.SaveApproval(ctx, change(waiting, denied, "q1")))

			post := []engine.Envelope{{Event: asked("e1"), Agents: []string{agent}, To: to("https://a")}}
			lose(func() error { _, err := l.Enqueue(ctx, post); return err })
			require.NoError(t, l.RecordFiring(ctx, firing("f2", "b")))
			require.Equal(t, landed, len(leaf(t, l).Letters) == 2, "what landed is not thrown away")
			fresh, err := l.Enqueue(ctx, post)
			require.NoError(t, err)
			require.Equal(t, landed, fresh == 0)
			want := leaf(t, l)
			require.Len(t, want.Letters, 2)
			same(t, []engine.Approval{question("q1", denied)}, want.Approvals)
			crash(l)
			same(t, want, leaf(t, begin(t, o)))
		})
	}
}

// TestTheAPIServerIsAway stops it, and starts it again.
func TestTheAPIServerIsAway(t *testing.T) {
	c := testcluster.New(t)
	c.InstallCRDs(t, "ledgers")
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t), Patience: 2 * time.Second}
	l := begin(t, o)
	require.NoError(t, l.RecordFiring(ctx, firing("f1", "a", "b")))
	posted(t, l, engine.Envelope{Event: asked("e1"), To: to("https://a")})
	delivery := deliveries(t, l)["https://a e1"]
	c.StopAPIServer(t)
	require.NoError(t, l.Conclude(ctx, done("a")), "it waits here")
	require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: delivery, State: engine.Delivered, At: day}}), "it does too")
	require.Error(t, l.RecordFiring(ctx, firing("f2", "c")))
	require.NoError(t, l.RecordFiring(ctx, firing("quiet")), "it has nothing for the cluster")
	c.StartAPIServer(t)
	require.Eventually(t, func() bool { return l.RecordFiring(ctx, firing("f3", "d")) == nil }, 20*time.Second, 100*time.Millisecond)
	closed(t, l)
	want := picture{Open: []string{"b", "d"}, Acts: map[string]engine.Status{"a": engine.Done, "b": engine.Running, "d": engine.Running}}
	l = begin(t, o)
	same(t, want, look(t, l))
	require.Empty(t, leaf(t, l))
}

// TestCompactionIsCutOff cuts the connection for good before and after each of a
// compaction's writes, and opens the log again.
func TestCompactionIsCutOff(t *testing.T) {
	c := shared(t)
	for _, sent := range []bool{false, true} {
		for step, last := 1, false; !last; step++ {
			t.Run(fmt.Sprintf("sent=%t, write %d", sent, step), func(t *testing.T) {
				client, f := connect(t, c)
				ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t), SegmentBytes: 2048, CompactAfter: 3}
				l := begin(t, o)
				want := picture{Acts: map[string]engine.Status{}}
				write := func(ctx context.Context, i int) error {
					id := fmt.Sprintf("f%02d", i)
					one := firing(id, id+"-0", id+"-1", id+"-2")
					one.Approvals = []engine.ApprovalChange{change("", waiting, id)}
					one.Envelopes = []engine.Envelope{{Event: asked(id), To: to("https://a")}}
					err := l.RecordFiring(ctx, one)
					if err == nil {
						for n := range 3 {
							want.Open = append(want.Open, fmt.Sprint(id, "-", n))
							want.Acts[fmt.Sprint(id, "-", n)] = engine.Running
						}
					}
					return err
				}
				i := 0
				for ; !l.due(); i++ {
					require.NoError(t, write(ctx, i))
				}
				writes := 0
				cutOff, cut := context.WithCancel(ctx)
				defer cut()
				f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
					if isWrite(r) {
						writes++
					}
					switch {
					case writes == step && sent && isWrite(r):
						cut()
						return swallow(r, next)
					case writes >= step:
						cut()
						return nil, errCut
					}
					return next.RoundTrip(r)
				})
				err := write(cutOff, i)
				crash(l)
				f.set(nil)
				if last = writes < step; last { // nothing was cut off
					require.NoError(t, err)
					require.Positive(t, l.head.spec.Bases)
				}

				l = begin(t, o)
				got := look(t, l)
				for _, id := range slices.Sorted(maps.Keys(got.Acts)) { // what was not acknowledged may be there, whole
					if _, acknowledged := want.Acts[id]; !acknowledged {
						require.Error(t, err)
						require.Contains(t, id, fmt.Sprintf("f%02d", i))
						want.Acts[id] = engine.Running
						want.Open = append(want.Open, id)
					}
				}
				same(t, want, got)
				require.Zero(t, len(got.Acts)%3)
				mail := leaf(t, l)
				require.Len(t, mail.Outbox, len(got.Acts)/3)
				require.Len(t, mail.Approvals, len(got.Acts)/3)
				for n, a := range mail.Approvals {
					require.Equal(t, a.ID, mail.Outbox[n].Event.ID)
					require.Contains(t, got.Acts, a.ID+"-0")
				}
				names, err := l.store.segments(ctx, l.o.Name)
				require.NoError(t, err)
				require.ElementsMatch(t, l.head.spec.Segments, names, "litter stayed behind")
				require.NoError(t, write(ctx, 99))
				closed(t, l)
				same(t, want, look(t, begin(t, o)))
			})
		}
	}
}

// due reports whether the next write compacts the log first.
func (l *Ledger) due() bool {
	return l.current != nil && l.current.size() >= l.o.SegmentBytes && len(l.head.spec.Segments)-l.head.spec.Bases >= l.o.CompactAfter
}
