package loop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestAnAgentAcceptsEventsOnlyFromNamedSenders(t *testing.T) {
	operator, edge, east := engine.Sender{Name: engine.OperatorSender}, engine.Sender{Name: "edge"}, engine.Sender{Name: "east", Peer: true}
	for name, row := range map[string]struct {
		from   []string
		sender engine.Sender
		source string
		want   engine.ReceiptVerdict
	}{
		"the operator, by default":              {nil, operator, "/curl", engine.Accepted},
		"an agent of a peer, by default":        {nil, east, "/agents/ns/checker", engine.Accepted},
		"not a declared sender, by default":     {nil, edge, "/edge", engine.RefusedEvent},
		"nor one that calls itself an agent":    {nil, edge, "/agents/ns/checker", engine.RefusedEvent},
		"nor a peer's event that is no agent's": {nil, east, "/edge", engine.RefusedEvent},
		"a declared sender that is named":       {[]string{"edge"}, edge, "/edge", engine.Accepted},
		"an agent that is named":                {[]string{"ns/checker"}, east, "/agents/ns/checker", engine.Accepted},
		"not another agent":                     {[]string{"ns/checker"}, east, "/agents/ns/other", engine.RefusedEvent},
		"nor the operator, where not named":     {[]string{"ns/checker"}, operator, "/agents/ns/checker", engine.RefusedEvent},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, answering)
			b.world.set("web", 1)
			b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Triggers[0].Event.From = row.from }))
			e := event("1")
			e.Source, e.Sender = row.source, "ns/checker-as-it-says"
			if row.sender.Peer && row.source == "/edge" {
				e.Sender = ""
			}
			receipts, err := b.manager.Router.Receive(t.Context(), row.sender, []engine.Event{e})
			require.NoError(t, err)
			require.Equal(t, row.want, receipts[0].Verdict, receipts[0].Why)
			if row.want == engine.Accepted {
				require.Equal(t, "1", only(t, b.next()).With["id"])
				b.nextAct()
			}
		})
	}
}

func TestEachEventHasAReceipt(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	far, other := event("far"), event("other")
	far.Hops, other.Type = engine.MaxHops+1, "unheard of"
	receipts, err := b.manager.Router.Receive(t.Context(), engine.Sender{Name: engine.OperatorSender}, []engine.Event{event("1"), far, other, event("1")})
	require.NoError(t, err)
	var verdicts []engine.ReceiptVerdict
	for _, r := range receipts {
		verdicts = append(verdicts, r.Verdict)
	}
	require.Equal(t, []engine.ReceiptVerdict{engine.Accepted, engine.RefusedEvent, engine.UnwantedEvent, engine.Accepted}, verdicts)
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.nextAct()
	require.Empty(t, b.fired, "the same event twice is handled once")
}

// A process that is starting does not know yet which events its agents want, so its error is
// retryable.
func TestNothingIsUnwantedBeforeTheAgentsAreKnown(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	from := engine.Sender{Name: engine.OperatorSender}
	_, err := b.manager.Router.Receive(t.Context(), from, []engine.Event{event("1")})
	require.True(t, engine.IsRetryable(err), "%v", err)
	b.run(b.spec(handlesEvents))
	receipts, err := b.manager.Router.Receive(t.Context(), from, []engine.Event{event("1")})
	require.NoError(t, err)
	require.Equal(t, engine.Accepted, receipts[0].Verdict)
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.nextAct()
}

// Agents that send events to each other in a circle are stopped by the limit of hops.
func TestACircleOfEventsEnds(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.circle

propose contains {"primitive": "event.send", "with": {"hop": object.get(input.trigger.event, "hops", 0)}, "reason": "pass on", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Strategies = []string{"t.circle"} }))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("first")))
	for range engine.MaxHops {
		b.next()
		require.Equal(t, engine.Done, b.nextAct().Outcome.Status)
	}
	b.next()
	last := b.nextAct()
	require.Equal(t, engine.Failed, last.Outcome.Status)
	require.Contains(t, last.Outcome.Detail, "in a circle")
	require.Empty(t, b.fired)
}

// A paused agent with a full inbox does not keep other agents from their events.
func TestAFullInboxDoesNotBlockOtherAgents(t *testing.T) {
	b := newBench(t, answering)
	b.close()
	b.inboxMost = 1
	b.open()
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents), b.spec(handlesEvents, func(s *engine.Spec) { s.Name, s.Mode = "sleeper", engine.Paused }))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.nextAct()
	for _, id := range []string{"2", "3"} {
		err := b.manager.Router.Publish(t.Context(), event(id))
		require.ErrorIs(t, err, engine.ErrFull)
		require.True(t, engine.IsRetryable(err), "its sender sends it again")
		require.Equal(t, id, only(t, b.next()).With["id"])
		b.nextAct()
		_, err = b.manager.Router.Receive(t.Context(), engine.Sender{Name: engine.OperatorSender}, []engine.Event{event(id)})
		require.ErrorIs(t, err, engine.ErrFull)
	}
	require.Len(t, b.world.sent, 3, "each event is handled once")
}
