package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// holding is a firing of an event that a guard holds back.
func holding(id string, e engine.Event, dead bool, acts ...string) engine.FiringRecord {
	f := firing(id, acts...)
	f.Trigger = engine.TriggerInfo{Name: "asked", Kind: "event", Event: &e, Deferral: e.Deferral}
	f.Deferred = &engine.Disposition{Event: e, Dead: dead, Why: "it cools down"}
	f.Deferred.Event.Deferral = &engine.Deferral{Firing: "f1", Acts: acts, Why: "it cools down", Since: day, At: day, Until: day.Add(time.Minute), Looks: 1}
	if dead {
		f.Deferred.Event.Deferral = &engine.Deferral{Firing: "f1", Acts: acts}
	}
	return f
}

// An event that a guard holds back waits behind the others, with what was done for it, or
// is dead, for the next leader too.
func TestTheNextLeaderKnowsWhatWaitsForAGuard(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)
	posted(t, l, engine.Envelope{Event: asked("e1"), Agents: []string{agent}}, engine.Envelope{Event: asked("e2"), Agents: []string{agent}}, engine.Envelope{Event: asked("e3"), Agents: []string{agent}})
	require.NoError(t, l.RecordFiring(ctx, holding("f1", asked("e1"), false, "a")))
	require.NoError(t, l.RecordFiring(ctx, holding("f2", asked("e2"), true, "b")))
	check := func() {
		t.Helper()
		events, err := l.Inbox(ctx, agent, -1)
		require.NoError(t, err)
		require.Equal(t, []string{"e3", "e1"}, []string{events[0].ID, events[1].ID}, "behind the others")
		require.Equal(t, []string{"a"}, events[1].Deferral.Acts)
		require.Equal(t, day.Add(time.Minute), events[1].Deferral.Until.UTC())
		require.Equal(t, map[string]any{"n": 1.0}, events[1].Data)
		var why []string
		for _, message := range leaf(t, l).Letters {
			why = append(why, message.Box+" "+message.Event.ID+" "+message.Why)
		}
		require.ElementsMatch(t, []string{"inbox e3 ", "inbox e1 it cools down", "dead e2 it cools down"}, why)
	}
	check()
	for _, compact := range []int{0, 1 << 10} {
		require.NoError(t, l.Close(ctx))
		o := o
		o.SegmentBytes = compact
		l = begin(t, o)
		check()
	}
	// Handled by a firing, it is gone; sent again, the dead one has what was done for it.
	events, err := l.Inbox(ctx, agent, -1)
	require.NoError(t, err)
	f := firing("f3")
	f.Trigger.Event = &events[1]
	require.NoError(t, l.RecordFiring(ctx, f))
	dead := leaf(t, l).Letters
	found, err := l.Redeliver(ctx, []string{dead[len(dead)-1].ID})
	require.NoError(t, err)
	require.Len(t, found, 1)
	events, err = l.Inbox(ctx, agent, -1)
	require.NoError(t, err)
	require.Equal(t, []string{"e3", "e2"}, []string{events[0].ID, events[1].ID})
	require.Equal(t, []string{"b"}, events[1].Deferral.Acts)
}

// Of a firing that came to nothing, the event waits at the head again, as it was.
func TestWhatAFiringHeldBackIsTakenBackWithIt(t *testing.T) {
	for name, dead := range map[string]bool{"waits": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			s := newState()
			l := &Ledger{state: s}
			s.apply(&batch{Events: eventsOf([]engine.Envelope{{Event: asked("e1"), Agents: []string{agent}}, {Event: asked("e2"), Agents: []string{agent}}}, stamp{1, 1})})
			f := holding("f1", asked("e1"), dead, "a")
			b, err := batchOf(&f, stamp{2, 2})
			require.NoError(t, err)
			l.numberHeld(b)
			_, back, err := pack(b)
			require.NoError(t, err)
			undo := s.inverse(back, "test", day)
			s.apply(back)
			require.Equal(t, map[bool]int{false: 2, true: 1}[dead], s.queues.waiting(agent))
			_, undo, err = pack(undo)
			require.NoError(t, err)
			s.apply(undo)
			waiting := s.queues.inbox(agent, -1)
			require.Equal(t, []string{"e1", "e2"}, []string{waiting[0].ID, waiting[1].ID})
			require.Nil(t, waiting[0].Deferral)
			require.Empty(t, s.queues.dead)
			soundBytes(t, &s.queues)
		})
	}
}
