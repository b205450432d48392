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
	_, err := l.Enqueue(ctx, agent, e)
	require.NoError(t, err)
	forgotten := firing("f-open", "open")
	forgotten.Intents[0].At = day.Add(-72 * time.Hour)
	forgotten.Notes = []engine.Note{{Target: forgotten.Intents[0].Target, Strategy: "s", Value: "kept"}}
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
	s := newState()
	for i := range handledMost + 10 {
		s.take(&batch{Handled: []handled{{eventKey{agent, "s", fmt.Sprint(i)}, nanos(day.Add(time.Duration(i)))}}})
	}
	s.take(&batch{Handled: []handled{{eventKey{agent, "s", "old"}, nanos(day.Add(-25 * time.Hour))}}})
	s.prune(day, time.Hour, time.Hour)
	require.Len(t, s.handled, handledMost)
	require.True(t, s.known(eventKey{agent, "s", fmt.Sprint(handledMost + 9)}))
	require.False(t, s.known(eventKey{agent, "s", "9"}))
	require.False(t, s.known(eventKey{agent, "s", "old"}))
}

// TestTheLastActAndTheNoteOutliveTheHorizon: a base keeps them, until they are forgotten.
func TestTheLastActAndTheNoteOutliveTheHorizon(t *testing.T) {
	s := newState()
	for i, identity := range []string{"first", "last"} {
		a := actOf(intent(identity, 0))
		a.At, a.Status, a.Ended = nanos(day.Add(time.Duration(i)*time.Hour)), engine.Done, nanos(day.Add(time.Duration(i)*time.Hour))
		s.take(&batch{Acts: []act{a}, Notes: []note{{agent, a.Target, "s", []byte(`1`), a.At}}})
	}
	s.prune(day.Add(48*time.Hour), 24*time.Hour, 90*24*time.Hour)
	require.Contains(t, s.acts, "last")
	require.NotContains(t, s.acts, "first")
	require.Len(t, s.notes, 1)
	s.prune(day.Add(91*24*time.Hour+2*time.Hour), 24*time.Hour, 90*24*time.Hour)
	require.Empty(t, s.acts)
	require.Empty(t, s.notes)
}
