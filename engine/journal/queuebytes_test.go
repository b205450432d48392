package journal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sized is an event with a body of a given size.
func sized(t testing.TB, id string, bytes int64) engine.Event {
	t.Helper()
	e := event("s", id)
	e.Data = ""
	e.Data = strings.Repeat("x", int(bytes-bodyBytes(e)))
	require.Equal(t, bytes, bodyBytes(e))
	return e
}

// All queues share one limit in bytes. Events that leave them free their bytes, and the next
// process counts again.
func TestAllBoxesHoldSoManyBytes(t *testing.T) {
	dir := t.TempDir()
	opts := Options{MailBytes: 10_000, Clock: newClock()}
	j := open(t, dir, opts)
	fits := func(agents []string, to []engine.Destination, events ...engine.Event) {
		t.Helper()
		_, err := j.Enqueue(t.Context(), postings(agents, to, events...))
		require.NoError(t, err)
	}
	full := func(held int, agents []string, to []engine.Destination, events ...engine.Event) {
		t.Helper()
		before := rows(t, j)
		_, err := j.Enqueue(t.Context(), postings(agents, to, events...))
		require.ErrorIs(t, err, engine.ErrFull)
		require.ErrorContains(t, err, fmt.Sprintf("the inboxes and the outbox hold %d bytes of 10000", held))
		require.Equal(t, before, rows(t, j), "all or nothing")
		soundCounts(t, j)
	}
	x, y, away := []string{"a/x"}, []string{"a/y"}, []engine.Destination{peer}
	_, err := j.Enqueue(t.Context(), postings(x, nil, sized(t, "huge", 10_001)))
	require.ErrorIs(t, err, engine.ErrTooLarge, "it would never fit")
	require.NotErrorIs(t, err, engine.ErrFull)

	fits(x, nil, sized(t, "1", 4000))
	fits(y, nil, sized(t, "2", 4000))
	full(8000, nil, away, sized(t, "3", 4000))
	full(9500, x, nil, sized(t, "3", 1500), sized(t, "4", 1000))
	fits(nil, away, sized(t, "3", 2000))
	fits(x, nil, sized(t, "1", 4000)) // it is there already
	full(10_000, y, nil, sized(t, "5", 1000))

	require.NoError(t, j.Close())
	j = open(t, dir, opts)
	full(10_000, y, nil, sized(t, "5", 1000))
	handle(t, j, "f-1", "a/x", sized(t, "1", 4000))
	fits(y, nil, sized(t, "5", 4000))
	require.NoError(t, j.DeadLetter(t.Context(), "a/y", sized(t, "5", 4000), "poison"))
	fits(y, nil, sized(t, "6", 4000))
	out, err := j.Outbox(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, j.Ack(t.Context(), []engine.Ack{{ID: out[0].ID, State: engine.Undeliverable}}))
	fits(x, nil, sized(t, "7", 2000))
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	var dead []string
	for _, l := range letters {
		if l.Box == engine.BoxDead {
			dead = append(dead, l.ID)
		}
	}
	found, err := j.Redeliver(t.Context(), dead)
	require.NoError(t, err)
	require.Len(t, found, 2, "who resends decided that there is room")
	soundCounts(t, j)
	full(16_000, x, nil, sized(t, "8", 1000))

	f := firingOf("f-2", day, 0)
	f.Agent, f.Envelopes = "a/x", postings(x, nil, sized(t, "9", 1000))
	require.NoError(t, j.RecordFiring(t.Context(), f), "what a firing posts is never refused")
	soundCounts(t, j)
}
