package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const executor = "mlperf/executor"

func asked(id string) engine.Event {
	return engine.Event{ID: id, Source: "/mlperf/tracker", Type: "x", Time: day, Data: map[string]any{"n": 1.0}, Hops: 2, Sender: "mlperf/tracker"}
}

func to(urls ...string) (out []engine.Destination) {
	for _, url := range urls {
		out = append(out, engine.Destination{URL: url, Agent: agent})
	}
	return out
}

func posted(t *testing.T, l *Ledger, p ...engine.Envelope) {
	t.Helper()
	_, err := l.Enqueue(t.Context(), p)
	require.NoError(t, err)
}

// papers is all mail and all approvals that a ledger answers with.
type papers struct {
	Letters   []engine.Message
	Outbox    []engine.Delivery
	Approvals []engine.Approval
}

func leaf(t *testing.T, l *Ledger) papers {
	t.Helper()
	var p papers
	var err error
	p.Letters, err = l.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	p.Outbox, err = l.Outbox(t.Context(), -1)
	require.NoError(t, err)
	p.Approvals, err = l.Approvals(t.Context(), "", time.Time{})
	require.NoError(t, err)
	counted, err := l.Depths(t.Context())
	require.NoError(t, err)
	listed := p.boxes()
	require.Equal(t, engine.QueueDepths{Inbox: len(listed[engine.BoxInbox]), Outbox: len(listed[engine.BoxOutbox]), Dead: len(listed[engine.BoxDead])}, counted)
	l.mu.Lock()
	soundBytes(t, &l.state.queues)
	l.mu.Unlock()
	for _, now := range []time.Time{day, day.Add(time.Hour)} { // at the second, those of most tests expire
		waits := slices.DeleteFunc(slices.Clone(p.Approvals), func(a engine.Approval) bool { return a.State != waiting || !now.Before(a.Expires) })
		counted, err := l.ApprovalsWaiting(t.Context(), now)
		require.NoError(t, err)
		require.Len(t, waits, counted)
	}
	return p
}

// soundBytes compares what is counted as it comes and goes with what is there.
func soundBytes(t require.TestingT, m *queues) {
	var waiting int64
	for _, l := range m.messages {
		if l.fate == fateWaiting {
			waiting += l.event.bytes()
		}
	}
	require.Equal(t, waiting, m.bytes)
}

// boxes are the ids of the events in each box.
func (p papers) boxes() map[string][]string {
	out := map[string][]string{}
	for _, l := range p.Letters {
		where := l.Agent
		if l.To != "" {
			where = l.To
		}
		out[l.Box] = append(out[l.Box], where+" "+l.Event.ID)
	}
	return out
}

// deliveries are the outbox by destination and event.
func deliveries(t *testing.T, l *Ledger) map[string]string {
	t.Helper()
	out := map[string]string{}
	waiting, err := l.Outbox(t.Context(), -1)
	require.NoError(t, err)
	for _, d := range waiting {
		out[d.To.URL+" "+d.Event.ID] = d.ID
	}
	return out
}

// TestTheNextLeaderHasTheMail puts an event into every box there is, and opens the
// log again and again, compacted too.
func TestTheNextLeaderHasTheMail(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)
	everywhere := engine.Envelope{Event: asked("e1"), Agents: []string{agent, executor}, To: to("https://a", "https://b", "https://c")}
	fresh, err := l.Enqueue(ctx, []engine.Envelope{everywhere, {Event: asked("e2"), Agents: []string{agent}, To: to("https://a")}, {Event: asked("e3"), To: to("https://c")}})
	require.NoError(t, err)
	require.Equal(t, 3, fresh, "inboxes, not destinations")

	id := deliveries(t, l)
	require.NoError(t, l.Ack(ctx, []engine.Ack{
		{ID: id["https://a e1"], State: engine.Delivered, At: day},
		{ID: id["https://b e1"], State: engine.UnwantedThere, At: day},
		{ID: id["https://c e1"], State: engine.Undeliverable, Why: "it says 400", At: day.Add(time.Minute)},
		{ID: id["https://c e3"], State: engine.UnwantedThere, Why: "nobody there wants it", At: day.Add(time.Hour)},
		{ID: "none of ours", State: engine.Delivered},
	}))
	require.NoError(t, l.DeadLetter(ctx, executor, asked("e1"), "its trigger is gone"))
	require.NoError(t, l.DeadLetter(ctx, executor, asked("e1"), "again"))
	require.ErrorIs(t, l.DeadLetter(ctx, executor, asked("e9"), "never came"), ErrNotFound)
	require.ErrorContains(t, l.Ack(ctx, []engine.Ack{{ID: id["https://a e2"], State: "lost"}}), `"lost"`)
	f := firing("f1", "a")
	f.Trigger.Event = &everywhere.Event
	f.Envelopes = []engine.Envelope{{Event: asked("notice"), Agents: []string{executor}, To: to("https://hook")}}
	require.NoError(t, l.RecordFiring(ctx, f))
	want := map[string][]string{
		"inbox":  {agent + " e2", executor + " notice"},
		"outbox": {"https://a e2", "https://hook notice"},
		"dead":   {executor + " e1", "https://c e1", "https://c e3"},
	}
	require.Equal(t, want, leaf(t, l).boxes())
	again, err := l.Redeliver(ctx, []string{id["https://c e1"], id["https://a e2"], "none of ours"})
	require.NoError(t, err)
	require.Equal(t, []string{id["https://c e1"]}, again)
	want["outbox"], want["dead"] = append(want["outbox"], "https://c e1"), []string{executor + " e1", "https://c e3"}
	whole := leaf(t, l)
	require.Equal(t, want, whole.boxes())
	unread := asked("e3")
	unread.Data = json.RawMessage(`{"n":1}`)
	require.Equal(t, engine.Message{ID: id["https://c e3"], Box: engine.BoxDead, Agent: agent, To: "https://c", Event: unread, Since: day.Add(time.Hour), Why: "nobody there wants it"}, whole.Letters[len(whole.Letters)-1])

	for range 2 {
		closed(t, l)
		l = begin(t, o)
		same(t, whole, leaf(t, l))
		everywhere.Agents = []string{agent, executor}
		fresh, err = l.Enqueue(ctx, []engine.Envelope{everywhere, {Event: asked("e3"), To: to("https://c")}})
		require.NoError(t, err)
		require.Zero(t, fresh)
		same(t, whole, leaf(t, l))
		require.NoError(t, l.roll(ctx), "it writes bases the second time")
		l.o.CompactAfter, o.CompactAfter = 1, 1
	}
	require.Positive(t, l.head.spec.Bases)
	require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: id["https://c e1"], State: engine.Delivered}}), "it has the name that it had")
	require.NotContains(t, deliveries(t, l), "https://c e1")
}

// TestWhoTookAnEvent: the last of its destinations not to want it makes it a dead
// letter, unless somebody else took it.
func TestWhoTookAnEvent(t *testing.T) {
	type answer struct {
		url   string
		state engine.DeliveryState
	}
	e := asked("e1")
	for name, c := range map[string]struct {
		agents  []string
		answers []answer
		dead    []string
	}{
		"nobody":                      {nil, []answer{{"a", engine.UnwantedThere}, {"b", engine.UnwantedThere}}, []string{"b"}},
		"the executor, before":        {nil, []answer{{"a", engine.Delivered}, {"b", engine.UnwantedThere}}, nil},
		"the executor, after":         {nil, []answer{{"a", engine.UnwantedThere}, {"b", engine.Delivered}}, nil},
		"not yet":                     {nil, []answer{{"a", engine.UnwantedThere}}, nil},
		"the other is dead":           {nil, []answer{{"a", engine.Undeliverable}, {"b", engine.UnwantedThere}}, []string{"a", "b"}},
		"an inbox, where it waits":    {[]string{agent}, []answer{{"a", engine.UnwantedThere}, {"b", engine.UnwantedThere}}, nil},
		"an inbox, where it was done": {[]string{executor}, []answer{{"a", engine.UnwantedThere}, {"b", engine.UnwantedThere}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState()
			s.apply(&batch{Events: eventsOf([]engine.Envelope{{Event: e, Agents: c.agents, To: to("a", "b")}, {Event: asked("e2"), Agents: []string{agent}}}, stamp{1, 1})})
			s.apply(&batch{Handled: []handled{{eventKey: eventKey{Agent: executor, Source: e.Source, ID: "e2"}, At: 1}}})
			if len(c.agents) > 0 && c.agents[0] == executor {
				s.apply(&batch{Handled: []handled{{eventKey: eventKey{Agent: executor, Source: e.Source, ID: e.ID}, At: 1}}})
			}
			for _, a := range c.answers {
				_, waited := s.settle(engine.Ack{ID: (&eventKey{Agent: agent, URL: a.url, Source: e.Source, ID: e.ID}).messageID(), State: a.state}, day)
				require.True(t, waited)
			}
			var dead []string
			for _, l := range s.queues.list("", -1) {
				if l.Box == engine.BoxDead {
					dead = append(dead, l.To)
				}
			}
			require.Equal(t, c.dead, dead)
		})
	}
}

// TestAnOutboxIsReadInLines: so many of each pair of destination and source, in order.
func TestAnOutboxIsReadInLines(t *testing.T) {
	s := newState()
	for n := range int64(30) {
		e := engine.Event{ID: fmt.Sprint(n), Source: []string{"s", "t"}[n%2]}
		s.apply(&batch{Events: eventsOf([]engine.Envelope{{Event: e, To: to([]string{"a", "b", "c"}[n%3])}}, stamp{n, n})})
	}
	var ids []string
	for _, d := range s.queues.deliveries(2) {
		ids = append(ids, d.Event.ID)
	}
	require.Equal(t, "0 1 2 3 4 5 6 7 8 9 10 11", strings.Join(ids, " "))
	require.Len(t, s.queues.deliveries(-1), 30)
	require.Len(t, s.queues.list(agent, 7), 7)
	require.Empty(t, s.queues.list(executor, -1))
}
