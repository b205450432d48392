package loop_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

const answering = `package scanflow.strategies.t.answering

propose contains p if {
	input.trigger.kind == "event"
	p := {"primitive": "hook", "with": {"id": input.trigger.event.id}, "reason": "asked", "because": []}
}
`

const asking = `package scanflow.strategies.t.asking

propose contains {"primitive": "event.send", "with": {}, "reason": "look", "because": ["load"]} if input.signals.load.value > 30
`

func handlesEvents(s *engine.Spec) {
	s.Name, s.Strategies = "answerer", []string{"t.answering"}
	s.Triggers = []engine.Trigger{{Name: "asked", Event: &engine.EventFilter{Types: []string{"asked"}}}}
}

func event(id string) engine.Event {
	return engine.Event{ID: id, Source: "/test", Type: "asked", Time: start, Sender: "ns/asker"}
}

// Never 5: an event lost, or acted on twice.
func TestEachEventIsHandledOnce(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	for i := range 20 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))), "delivered twice")
	}
	seen := map[string]int{}
	for range 20 {
		f := b.next()
		require.Equal(t, "asked", f.Trigger.Name)
		seen[only(t, f).With["id"].(string)]++
		b.nextAct()
	}
	require.Len(t, seen, 20)
	b.restart()
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("3")), "and once more after a restart")
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("new")))
	require.Equal(t, "new", only(t, b.next()).With["id"])
	b.nextAct()
	require.Len(t, b.world.sent, 21)
}

func TestAnEventOutlivesTheProcessThatAcceptedIt(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	fresh, err := b.journal.Enqueue(t.Context(), []engine.Envelope{{Event: event("1"), Agents: []string{"ns/answerer"}}})
	require.NoError(t, err)
	require.Equal(t, 1, fresh)
	b.restart()
	b.run(b.spec(handlesEvents))
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.nextAct()
}

func TestAnEventWaitsForTheJournal(t *testing.T) {
	b := newBench(t, answering)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	f.firing.Store(true)
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Equal(t, "journal", only(t, b.next()).By)
	f.firing.Store(false)
	require.Eventually(t, func() bool { b.clock.Advance(time.Second); return len(b.acted) == 1 }, 10*time.Second, time.Millisecond)
	require.Len(t, b.world.sent, 1)
}

func TestAnAgentSendsAnEventToAnother(t *testing.T) {
	b := newBench(t, answering, asking)
	b.world.set("web", 4)
	b.load.setValue("web", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.asking"} }), b.spec(handlesEvents))
	asked := b.nextOf("ns/answerer").Trigger.Event
	acts := map[string]engine.Act{}
	for range 2 {
		a := b.nextAct()
		require.Equal(t, engine.Done, a.Outcome.Status, a.Outcome.Detail)
		acts[a.Agent] = a
	}
	require.Equal(t, acts["ns/planner"].Identity, asked.ID)
	require.Contains(t, acts, "ns/answerer")
}

func TestAnUnwantedEventIsAnError(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Triggers[0].Event.From = []string{"ns/checker"} }))
	other := event("1")
	other.Type = "unheard of"
	for _, row := range []struct {
		event engine.Event
		want  string
	}{
		{other, `no agent here has a trigger for events of type "unheard of"`},
		{event("2"), "no agent here takes events of type \"asked\" from ns/planner; name it under `from` in the trigger"},
	} {
		row.event.Sender = "ns/planner"
		err := b.manager.Router.Publish(t.Context(), row.event)
		require.EqualError(t, err, row.want)
		require.True(t, queue.IsUnwanted(err))
		receipts, err := b.manager.Router.Receive(t.Context(), engine.Sender{Name: "ns/planner"}, []engine.Event{row.event})
		require.NoError(t, err)
		require.Equal(t, row.want, receipts[0].Why, "a receipt has the same words")
	}
}

func TestApplyRestartsOnlyWhatChanged(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	two := b.spec(func(s *engine.Spec) { s.Name = "two" })
	b.run(b.spec(), two)
	b.next()
	b.next()
	two.Generation = "2"
	b.run(b.spec(), two)
	require.Equal(t, "ns/two", b.next().Agent, "the changed one fires at once, as after a start")
	b.run(two)
	require.Len(t, b.manager.Agents(), 1)
	b.clock.Advance(10 * time.Second)
	require.Equal(t, "ns/two", b.next().Agent)
	require.Empty(t, b.fired)
}
