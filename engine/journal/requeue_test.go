package journal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// An event that a guard holds back waits again behind the others with what was done for it, or
// becomes a dead letter. The sizes of the queues are right, and the event survives a restart.
func TestWhatAGuardHoldsBack(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{Clock: newClock()})
	first, second, third := event("s", "1"), event("s", "2"), event("s", "3")
	require.Equal(t, 3, put(t, j, "a/x", first, second, third))
	held := func(id string, e engine.Event, dead bool, acts ...string) {
		t.Helper()
		f := firingOf(id, day, 0)
		f.Agent, f.Trigger = "a/x", engine.TriggerInfo{Name: "asked", Kind: "event", Event: &e}
		f.Deferred = &engine.Disposition{Event: e, Dead: dead, Why: "it cools down"}
		f.Deferred.Event.Deferral = &engine.Deferral{Firing: "f-1", Acts: acts, Until: day.Add(time.Minute)}
		require.NoError(t, j.RecordFiring(t.Context(), f))
		soundCounts(t, j)
	}
	held("f-1", first, false, "a", "b")
	held("f-2", second, true, "c")
	for range 2 {
		events, err := j.Inbox(t.Context(), "a/x", -1)
		require.NoError(t, err)
		require.Equal(t, []string{"3", "1"}, []string{events[0].ID, events[1].ID})
		require.Equal(t, []string{"a", "b"}, events[1].Deferral.Acts)
		letters, err := j.Messages(t.Context(), "", -1)
		require.NoError(t, err)
		require.Len(t, letters, 3)
		for _, l := range letters {
			require.Equal(t, map[string]string{"1": "inbox it cools down", "2": "dead it cools down", "3": "inbox "}[l.Event.ID], l.Box+" "+l.Why)
		}
		require.NoError(t, j.Close())
		j = open(t, dir, Options{Clock: newClock()})
	}
	require.Zero(t, put(t, j, "a/x", first, second), "a redelivery changes nothing")
	handle(t, j, "f-3", "a/x", first)
	held("f-4", first, false) // too late: it was handled
	events, err := j.Inbox(t.Context(), "a/x", -1)
	require.NoError(t, err)
	require.Equal(t, []engine.Event{third}, events)
}
