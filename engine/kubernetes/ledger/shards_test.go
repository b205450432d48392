package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// TestAnotherNumberOfShards opens the log of a shard that now owns targets whose
// acts are in another shard's log.
func TestAnotherNumberOfShards(t *testing.T) {
	c := shared(t)
	ctx := t.Context()
	o := Options{Client: c.Client(), Namespace: c.Namespace(t), Install: "planner"}
	o.Name = "planner-1"
	other := begin(t, o)
	f := firing("f1", "ours", "theirs", "open")
	f.Intents[2].Target = f.Intents[0].Target
	f.Notes = []engine.Note{{Target: f.Intents[0].Target.ID(), Strategy: "s", Value: "theirs, younger"}}
	f.At = day.Add(time.Hour)
	require.NoError(t, other.RecordFiring(ctx, f))
	require.NoError(t, other.Conclude(ctx, done("ours")))
	e := engine.Event{ID: "e1", Source: "s", Type: "x"}
	posted(t, other, engine.Envelope{Event: e, Agents: []string{agent}})
	posted(t, other, engine.Envelope{Event: asked("there"), To: to("https://a", "https://b", "https://c", "https://d")})
	there := deliveries(t, other)
	require.NoError(t, other.Ack(ctx, []engine.Ack{
		{ID: there["https://a there"], State: engine.Delivered, At: day}, {ID: there["https://b there"], State: engine.Undeliverable, At: day}, {ID: there["https://c there"], State: engine.Undeliverable, At: day},
	}))
	require.NoError(t, other.SaveApproval(ctx, change("", waiting, "q1")))
	theirs := leaf(t, other)
	closed(t, other)

	o.Name = "planner-0"
	o.Owns = func(id engine.TargetID) bool { return id == f.Intents[0].Target.ID() }
	l := begin(t, o)
	mine := firing("f2", "mine")
	mine.Notes = []engine.Note{{Target: f.Intents[0].Target.ID(), Strategy: "s", Value: "ours, older"}}
	require.NoError(t, l.RecordFiring(ctx, mine))
	require.NoError(t, l.SaveApproval(ctx, change("", denied, "q2")))
	posted(t, l, engine.Envelope{Event: asked("there"), To: to("https://a", "https://b")})
	ours := leaf(t, l)
	closed(t, l)

	l = begin(t, o)
	want := picture{Open: []string{"mine"}, Acts: map[string]engine.Status{"mine": engine.Running, "ours": engine.Done, "open": engine.Done}, Notes: f.Notes}
	same(t, want, look(t, l))
	same(t, ours, leaf(t, l))
	require.ErrorIs(t, l.Conclude(ctx, done("open")), ErrNotFound, "it is its owner's to settle")
	closed(t, l)

	logs, err := Logs(ctx, o.Client, o.Namespace, "planner")
	require.NoError(t, err)
	require.Equal(t, []string{"planner-0", "planner-1"}, logs)
	o.Adopt = []string{"planner-1", "planner-7"}
	l = begin(t, o)
	want.Open, want.Inbox = []string{"mine", "open"}, []string{"e1"}
	want.Acts["open"], want.Acts["theirs"] = engine.Running, engine.Running
	want.Open = []string{"mine", "theirs", "open"}
	same(t, want, look(t, l))
	taken := leaf(t, l)
	same(t, []engine.Approval{theirs.Approvals[0], ours.Approvals[0]}, taken.Approvals)
	require.Equal(t, map[string][]string{
		"inbox":  {agent + " e1"},
		"outbox": {"https://b there", "https://d there"}, // ours, which waits, and theirs; what they delivered is not delivered again
		"dead":   {"https://c there"},
	}, taken.boxes())
	names, err := l.store.segments(ctx, "planner-1")
	require.NoError(t, err)
	require.Empty(t, names)
	require.NoError(t, l.Conclude(ctx, done("open")))
	closed(t, l)

	l = begin(t, o)
	want.Open, want.Acts["open"] = []string{"mine", "theirs"}, engine.Done
	same(t, want, look(t, l))
	same(t, taken, leaf(t, l))
}
