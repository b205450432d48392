package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestBuried(t *testing.T) {
	j := open(t, t.TempDir(), Options{Clock: newClock()})
	poison, next := event("s", "1"), event("s", "2")
	require.Equal(t, 2, put(t, j, "a/x", poison, next))
	require.Equal(t, 1, put(t, j, "a/y", poison))
	for range 2 { // the second time it is dead already
		require.NoError(t, j.DeadLetter(t.Context(), "a/x", poison, "refused 5 times"))
	}
	require.Zero(t, put(t, j, "a/x", poison), "a redelivery does not revive it")
	waiting := func(agent string) []engine.Event {
		events, err := j.Inbox(t.Context(), agent, -1)
		require.NoError(t, err)
		return events
	}
	require.Empty(t, cmp.Diff([]engine.Event{next}, waiting("a/x")))
	require.Empty(t, cmp.Diff([]engine.Event{poison}, waiting("a/y")), "another's inbox is another's")
	require.ErrorIs(t, j.DeadLetter(t.Context(), "a/x", event("s", "3"), "x"), ErrNotFound)
	handle(t, j, "f-1", "a/x", next)
	require.NoError(t, j.DeadLetter(t.Context(), "a/x", next, "too late"))
	letters, err := j.Messages(t.Context(), "a/x", -1)
	require.NoError(t, err)
	require.Len(t, letters, 1, "what was handled does not die")
	require.Empty(t, cmp.Diff(engine.Message{ID: letters[0].ID, Box: engine.BoxDead, Agent: "a/x", Event: poison, Since: day, Why: "refused 5 times"}, letters[0]))
	soundCounts(t, j)

	found, err := j.Redeliver(t.Context(), []string{letters[0].ID})
	require.NoError(t, err)
	require.Len(t, found, 1)
	handle(t, j, "f-2", "a/x", poison)
	require.Empty(t, waiting("a/x"))
	soundCounts(t, j)
}

// An event that is buried during its firing counts as handled.
func TestHandledAfterItsBurial(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	e := event("s", "1")
	put(t, j, "a/x", e)
	require.NoError(t, j.DeadLetter(t.Context(), "a/x", e, "gave up"))
	handle(t, j, "f-1", "a/x", e)
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	require.Empty(t, letters)
	soundCounts(t, j)
}

func TestLetters(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock})
	tick := func() { clock.Pass(time.Second) }
	for i := range 3 {
		put(t, j, "a/x", event("in", fmt.Sprint(i)))
		tick()
		send(t, j, event("out", fmt.Sprint(i)), webhook)
		tick()
	}
	put(t, j, "a/y", event("in", "y"))
	send(t, j, event("out", "peer"), peer)
	require.NoError(t, j.DeadLetter(t.Context(), "a/x", event("in", "0"), "poison"))
	settle(t, j, engine.Undeliverable, event("out", "0"), webhook)
	at := func(s int) time.Time { return day.Add(time.Duration(s) * time.Second) }
	all := []engine.Message{
		{Box: "dead", Agent: "a/x", To: webhook.URL, Event: event("out", "0"), Since: day, Why: "as told"},
		{Box: "inbox", Agent: "a/x", Event: event("in", "1"), Since: at(2)},
		{Box: "outbox", Agent: "a/x", To: webhook.URL, Event: event("out", "1"), Since: at(3)},
		{Box: "inbox", Agent: "a/x", Event: event("in", "2"), Since: at(4)},
		{Box: "outbox", Agent: "a/x", To: webhook.URL, Event: event("out", "2"), Since: at(5)},
		{Box: "dead", Agent: "a/x", Event: event("in", "0"), Since: at(6), Why: "poison"},
		{Box: "inbox", Agent: "a/y", Event: event("in", "y"), Since: at(6)},
		{Box: "outbox", To: peer.URL, Event: event("out", "peer"), Since: at(6)},
	}
	for name, test := range map[string]struct {
		agent string
		limit int
		want  []engine.Message
	}{
		"all":             {"", -1, all},
		"an agent's":      {"a/x", -1, all[:6]},
		"one of each":     {"", 1, all[:3]},
		"nobody's":        {"a/z", -1, nil},
		"none of each":    {"", 0, nil},
		"another's":       {"a/y", 5, all[6:7]},
		"more than are":   {"", 100, all},
		"two of an agent": {"a/x", 2, all[:6]},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := j.Messages(t.Context(), test.agent, test.limit)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(test.want, got, cmpopts.IgnoreFields(engine.Message{}, "ID"), cmpopts.EquateEmpty()))
		})
	}
	got, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, l := range got {
		require.Regexp(t, map[bool]string{true: `^in-\d+$`, false: `^out-\d+$`}[l.To == ""], l.ID)
		require.False(t, seen[l.ID])
		seen[l.ID] = true
	}
}

func TestResend(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock, InboxMost: 2})
	put(t, j, "a/x", event("s", "1"), event("s", "2"))
	for _, id := range []string{"2", "1"} {
		require.NoError(t, j.DeadLetter(t.Context(), "a/x", event("s", id), "poison"))
	}
	put(t, j, "a/x", event("s", "3"), event("s", "4"))
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	id := map[string]string{}
	for _, l := range letters {
		id[l.Event.ID] = l.ID
	}
	clock.Pass(time.Minute)
	found, err := j.Redeliver(t.Context(), []string{id["2"], "in-999", "", "in-", "in--1", "in-x", "4", id["3"], id["2"], id["1"], "out-" + id["1"]})
	require.NoError(t, err)
	require.Equal(t, []string{id["2"], id["1"]}, found, "what is dead, each once; it asks for no room")
	require.Equal(t, []string{"3", "4", "2", "1"}, inboxOf(t, j, "a/x"), "at the end of the inbox")
	letters, err = j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	for _, l := range letters {
		require.Equal(t, engine.BoxInbox, l.Box)
		require.Equal(t, id[l.Event.ID], l.ID, "an id stays")
		require.Empty(t, l.Why)
	}
	require.Equal(t, day.Add(time.Minute), letters[3].Since)
	soundCounts(t, j)
	found, err = j.Redeliver(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestResentKeepsItsPlaceOverARestart(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	put(t, j, "a/x", event("s", "1"), event("s", "2"), event("s", "3"))
	for _, id := range []string{"2", "1"} {
		require.NoError(t, j.DeadLetter(t.Context(), "a/x", event("s", id), "poison"))
		_, err := j.Redeliver(t.Context(), []string{"in-" + id})
		require.NoError(t, err)
	}
	require.NoError(t, j.Close())
	j = open(t, dir, Options{})
	put(t, j, "a/x", event("s", "4"))
	require.Equal(t, []string{"3", "2", "1", "4"}, inboxOf(t, j, "a/x"), "who comes later is behind them")
}

// inboxOf returns the ids of the waiting events.
func inboxOf(t *testing.T, j *Journal, agent string) (ids []string) {
	t.Helper()
	got, err := j.Inbox(t.Context(), agent, -1)
	require.NoError(t, err)
	for _, e := range got {
		ids = append(ids, e.ID)
	}
	return ids
}

// The counts for metrics use partial indexes, so handled and delivered events cost nothing.
func TestWhatWaitsIsCountedByItsIndexes(t *testing.T) {
	require.Equal(t, []string{
		"SCAN inbox USING COVERING INDEX inbox_waiting", "SCAN outbox USING COVERING INDEX outbox_waiting",
		"SCAN inbox USING COVERING INDEX inbox_dead", "SCAN outbox USING COVERING INDEX outbox_dead",
	}, planOf(t, "box ", selectQueueCounts))
	require.Equal(t, []string{"SCAN approvals USING INDEX approvals_open"}, planOf(t, "approvals", countWaitingApprovals, 0))
}
