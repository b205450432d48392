package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TestAllBoxesHoldSoManyBytes: of the text, however well it is compressed, and again
// under the next leader.
func TestAllBoxesHoldSoManyBytes(t *testing.T) {
	c := shared(t)
	o := Options{Client: c.Client(), Namespace: c.Namespace(t), MailBytes: 2500}
	sized := func(id string, bytes int, agents []string, to ...engine.Destination) engine.Envelope {
		p := engine.Envelope{Event: engine.Event{ID: id, Source: "s", Type: "x", Data: strings.Repeat("x", bytes-5)}, Agents: agents, To: to}
		require.Len(t, id, 1)
		return p
	}
	x, y := []string{"ns/x"}, []string{"ns/y"}
	l := begin(t, o)
	full := func(held int, p ...engine.Envelope) {
		t.Helper()
		before := leaf(t, l)
		_, err := l.Enqueue(t.Context(), p)
		require.ErrorIs(t, err, engine.ErrFull)
		require.ErrorContains(t, err, fmt.Sprintf("the inboxes and the outbox hold %d bytes of 2500", held))
		require.Equal(t, before, leaf(t, l), "all or nothing")
	}
	posted(t, l, sized("1", 1000, x))
	full(1000, sized("2", 800, []string{"ns/x", "ns/y"}))
	posted(t, l, sized("2", 1000, nil, to("https://a")...))
	full(2000, sized("3", 600, y))
	posted(t, l, sized("1", 1000, x), sized("2", 1000, nil, to("https://a")...))
	crash(l)
	l = begin(t, o)
	full(2000, sized("3", 600, y))

	require.NoError(t, l.DeadLetter(t.Context(), "ns/x", sized("1", 1000, x).Event, "poison"))
	posted(t, l, sized("3", 600, y))
	require.NoError(t, l.Ack(t.Context(), []engine.Ack{{ID: deliveries(t, l)["https://a 2"], State: engine.Delivered}}))
	f := firing("f1", "a")
	handled := sized("3", 600, y).Event
	f.Agent, f.Trigger.Event, f.Envelopes = "ns/y", &handled, []engine.Envelope{sized("n", 2500, x)}
	require.NoError(t, l.RecordFiring(t.Context(), f), "what a firing posts is never refused")
	full(2500, sized("4", 100, y))
	closed(t, l)
	l = begin(t, o)
	full(2500, sized("4", 100, y))
	in, err := l.Inbox(t.Context(), "ns/x", 1)
	require.NoError(t, err)
	require.Equal(t, []engine.Event{sized("n", 2500, x).Event}, in)
}

// TestDeadLettersHaveABound: the oldest go.
func TestDeadLettersHaveABound(t *testing.T) {
	s := newState()
	const each = 4 << 20
	data := strings.Repeat("x", each)
	for i := range 6 {
		n := int64(i + 1)
		_, back, err := pack(&batch{Events: eventsOf([]engine.Envelope{{Event: engine.Event{ID: fmt.Sprint(i), Source: "s", Data: data}, Agents: []string{agent}}}, stamp{n, n})})
		require.NoError(t, err)
		s.apply(back)
		_, waited := s.bury(eventKey{Agent: agent, Source: "s", ID: fmt.Sprint(i)}, "poison", day.Add(time.Duration(i)*time.Minute))
		require.True(t, waited)
	}
	require.Equal(t, 3, s.queues.prune(day, time.Hour), "of 24 MiB, 16 MiB are kept, and a few bytes are more than 4 of them")
	require.Zero(t, s.queues.bytes)
	for i := range 6 {
		require.Equal(t, i >= 3, s.queues.known(eventKey{Agent: agent, Source: "s", ID: fmt.Sprint(i)}))
	}
}

// TestARecordThatNobodyWouldReadIsNotWritten, however well it is compressed.
func TestARecordThatNobodyWouldReadIsNotWritten(t *testing.T) {
	_, _, err := pack(&batch{Events: eventsOf([]engine.Envelope{{Event: engine.Event{ID: "1", Source: "s", Data: strings.Repeat("x", maxUnpacked)}, Agents: []string{agent}}}, stamp{1, 1})})
	require.ErrorIs(t, err, engine.ErrTooLarge)
}
