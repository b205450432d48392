package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TestCompaction writes much more than is kept, over days.
func TestCompaction(t *testing.T) {
	c := shared(t)
	o := Options{Client: c.Client(), Namespace: c.Namespace(t), SegmentBytes: 16 << 10, CompactAfter: 3, Clock: clock{day.Add(time.Hour)}}
	l := begin(t, o)
	ctx := t.Context()
	e := engine.Event{ID: "waits", Source: "s", Type: "x"}
	posted(t, l, engine.Envelope{Event: e, Agents: []string{agent}})
	forgotten := firing("f-open", "open")
	forgotten.Intents[0].At = day.Add(-72 * time.Hour)
	forgotten.Notes = []engine.Note{{Target: forgotten.Intents[0].Target.ID(), Strategy: "s", Value: "kept"}}
	require.NoError(t, l.RecordFiring(ctx, forgotten))
	const n = 300
	for i := range n {
		f := firing(fmt.Sprint("f", i), fmt.Sprint("a", i))
		f.Intents[0].Target.Name = fmt.Sprint("server-", i%3)
		f.Intents[0].At = day.Add(time.Duration(i-n) * 10 * time.Minute) // the last 144 are of the last day
		require.NoError(t, l.RecordFiring(ctx, f))
		done := done(fmt.Sprint("a", i))
		done.At = f.Intents[0].At.Add(time.Second)
		require.NoError(t, l.Conclude(ctx, done))
	}
	closed(t, l)
	names, err := l.store.segments(ctx, l.o.Name)
	require.NoError(t, err)
	require.Positive(t, l.head.spec.Bases)
	require.Less(t, len(names), 10)
	for _, name := range names {
		o, err := l.store.get(ctx, name)
		require.NoError(t, err)
		require.Less(t, o.size(), 32<<10, "an object outgrew its bound")
	}

	l = begin(t, o)
	p := look(t, l)
	require.Equal(t, []string{"open"}, p.Open)
	require.Equal(t, []string{"waits"}, p.Inbox)
	require.Equal(t, forgotten.Notes, p.Notes)
	for i := n - 130; i < n; i++ {
		require.Equal(t, engine.Done, p.Acts[fmt.Sprint("a", i)])
	}
	require.Less(t, len(p.Acts), 160)
}

func TestHandledEventsAreBounded(t *testing.T) {
	for where, url := range map[string]string{"in an inbox": "", "of a destination": "https://peer"} {
		t.Run(where, func(t *testing.T) {
			key := func(id string) eventKey { return eventKey{agent, url, "s", id} }
			s := newState()
			for i := range maxHandled + 10 {
				s.apply(&batch{Handled: []handled{{eventKey: key(fmt.Sprint(i)), At: nanos(day.Add(time.Duration(i)))}}})
			}
			s.apply(&batch{Handled: []handled{{eventKey: key("old"), At: nanos(day.Add(-8 * 24 * time.Hour))}}})
			s.prune(day, time.Hour, time.Hour)
			require.True(t, s.queues.known(key(fmt.Sprint(maxHandled+9))))
			require.True(t, s.queues.known(key("10")))
			require.False(t, s.queues.known(key("9")))
			require.False(t, s.queues.known(key("old")))
			require.Len(t, s.queues.byName, len(s.queues.messages), "a name was left behind")
		})
	}
}

// TestDeadLettersAreBounded, and what is dropped is the oldest; what waits stays.
func TestDeadLettersAreBounded(t *testing.T) {
	s := newState()
	s.apply(&batch{Events: eventsOf([]engine.Envelope{{Event: asked("waits"), Agents: []string{agent}, To: to("https://a")}}, stamp{nanos(day.Add(-1000 * 24 * time.Hour)), 1})})
	for i := range int64(maxDead + 2) {
		e := eventsOf([]engine.Envelope{{Event: asked(fmt.Sprint(i)), Agents: []string{agent}}}, stamp{1, i + 2})
		s.apply(&batch{Events: e, Handled: []handled{{eventKey: e[0].key(), At: nanos(day) + i, Fate: fateDead, Of: i + 2}}})
	}
	require.Equal(t, 2, s.prune(day, time.Hour, 90*24*time.Hour))
	require.Len(t, s.queues.list(agent, -1), maxDead+2)
	require.False(t, s.queues.known(eventKey{Agent: agent, Source: asked("").Source, ID: "1"}))
	require.True(t, s.queues.known(eventKey{Agent: agent, Source: asked("").Source, ID: "2"}))
	require.Zero(t, s.prune(day.Add(91*24*time.Hour), time.Hour, 90*24*time.Hour))
	require.Len(t, s.queues.list(agent, -1), 2)
}

// TestEndedApprovalsAreBounded, and what waits for a person stays.
func TestEndedApprovalsAreBounded(t *testing.T) {
	s := newState()
	put := func(a engine.Approval) { s.apply(&batch{Approvals: []approval{{a, 1}}}) }
	old := question("old", waiting)
	old.Asked = day.Add(-1000 * time.Hour)
	put(old)
	for i := range maxEnded + 2 {
		a := question(fmt.Sprint(i), expired)
		a.Ended = day.Add(time.Duration(i))
		put(a)
	}
	s.prune(day, time.Hour, time.Hour)
	require.Len(t, s.approvals, maxEnded+1)
	require.NotContains(t, s.approvals, "1")
	s.prune(day.Add(24*time.Hour+100), time.Hour, time.Hour)
	require.NotContains(t, s.approvals, "99")
	require.Contains(t, s.approvals, "100")
	require.Contains(t, s.approvals, "old")
}

// TestADenialIsKeptForAsLongAsItHolds, and beyond what is kept at most: others go first.
func TestADenialIsKeptForAsLongAsItHolds(t *testing.T) {
	s := newState()
	long := question("long", denied)
	long.Expires = long.Asked.Add(240 * time.Hour)
	s.apply(&batch{Approvals: []approval{{question("short", denied), 1}, {long, 1}}})
	s.prune(long.Ended.Add(24*time.Hour), time.Hour, time.Hour)
	require.Contains(t, s.approvals, "short")
	s.prune(long.Ended.Add(24*time.Hour+1), time.Hour, time.Hour)
	require.NotContains(t, s.approvals, "short")
	for i := range maxEnded {
		a := question(fmt.Sprint(i), expired)
		a.Ended = long.Ended.Add(240 * time.Hour)
		s.apply(&batch{Approvals: []approval{{a, 1}}})
	}
	s.prune(long.Ended.Add(240*time.Hour), time.Hour, time.Hour)
	require.Len(t, s.approvals, maxEnded)
	require.Contains(t, s.approvals, "long")
	s.prune(long.Ended.Add(240*time.Hour+1), time.Hour, time.Hour)
	require.NotContains(t, s.approvals, "long")
}

// TestTheLastActAndTheNoteOutliveTheHorizon: a base keeps them, until they are forgotten.
func TestTheLastActAndTheNoteOutliveTheHorizon(t *testing.T) {
	s := newState()
	for i, identity := range []string{"first", "last"} {
		a := actOf(intent(identity, 0))
		a.At, a.Status, a.Ended = nanos(day.Add(time.Duration(i)*time.Hour)), engine.Done, nanos(day.Add(time.Duration(i)*time.Hour))
		s.apply(&batch{Acts: []act{a}, Notes: []note{{agent, a.Target, "s", []byte(`1`), a.At}}})
	}
	s.prune(day.Add(48*time.Hour), 24*time.Hour, 90*24*time.Hour)
	require.Contains(t, s.acts, "last")
	require.NotContains(t, s.acts, "first")
	require.Len(t, s.notes, 1)
	s.prune(day.Add(91*24*time.Hour+2*time.Hour), 24*time.Hour, 90*24*time.Hour)
	require.Empty(t, s.acts)
	require.Empty(t, s.notes)
}
