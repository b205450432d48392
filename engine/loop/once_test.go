package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const onEvent = `package scanflow.strategies.t.onevent

propose contains {"primitive": "scale", "with": {"replicas": 7}, "reason": "asked", "because": []} if input.trigger.kind == "event"
`

func scalesOnEvent(s *engine.Spec) {
	answers(s)
	s.Strategies, s.Primitives = []string{"t.onevent"}, []string{"scale"}
}

// stuck has every act hang before it does anything; let go has those to come pass.
func (b *bench) stuck(yes bool) {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	b.world.block = nil
	if yes {
		b.world.block = func(string) <-chan struct{} { return nil }
	}
}

// An event is handled once its firing is recorded, and nobody sends it again: the act
// that it asked for is done, though the process died before it began.
func TestAnEventHasItsEffectThoughTheProcessDiedBeforeTheAct(t *testing.T) {
	b := newBench(t, onEvent)
	b.stuck(true)
	b.world.set("web", 1)
	b.run(b.spec(scalesOnEvent))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
	admitted := only(t, b.next())
	b.restart()
	b.stuck(false)
	b.run(b.spec(scalesOnEvent))
	act := b.settled()
	require.Equal(t, admitted.Identity, act.Identity)
	require.Equal(t, engine.Done, act.Outcome.Status, act.Outcome.Detail)
	require.Equal(t, 1, b.world.count())
}

// So is one that a person approved: the answer is used up.
func TestAnApprovedActIsDoneThoughTheProcessDiedBeforeIt(t *testing.T) {
	b := newBench(t)
	b.stuck(true)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	q := b.approved()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.restart()
	b.stuck(false)
	b.run(b.spec(asksFirst))
	act := b.settled()
	require.Equal(t, engine.Done, act.Outcome.Status, act.Outcome.Detail)
	require.Equal(t, b.approval(q.ID).Identity, act.Identity)
	require.Equal(t, 1, b.world.count())
}

// What can be asked whether it began is begun if it did not.
func TestAnEventsWorkflowThatNeverBeganIsBegun(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	require.NoError(t, b.journal.Intend(t.Context(), engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: "lost", Agent: "ns/planner", Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}, Strategy: "t.starting", Primitive: "job"}},
		Claim:  "workflow/job", At: start, Irreproducible: true,
	}))
	b.run(b.spec(b.starting))
	b.eventually(func() bool { return len(b.jobs.begun()) == 1 })
	require.Equal(t, []string{"lost"}, b.jobs.begun())
	require.Equal(t, "workflow/job", b.host.Claims()[0].Claim)
	b.jobs.set("lost", engine.Done)
	require.Equal(t, "lost", b.ended().Identity)
}

// What had begun and is gone by the restart was taken away by somebody: a workflow that
// ended and was cleared up, or that a person deleted. It is not begun again.
func TestAnEventsActThatHadBegunIsNotBegunAgain(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.starting

propose contains {"primitive": "job", "with": {}, "reason": "asked", "because": []} if input.trigger.kind == "event"
`)
	b.world.set("web", 1)
	works := func(s *engine.Spec) {
		answers(s)
		s.Strategies, s.Primitives = []string{"t.starting"}, []string{"job"}
	}
	b.run(b.spec(works))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
	b.next()
	b.eventually(func() bool { return len(b.jobs.begun()) == 1 })
	b.eventually(func() bool {
		open, err := b.journal.Open(t.Context(), "ns/answerer")
		require.NoError(t, err)
		return open[0].Begun
	})
	b.close()
	b.jobs.forget()
	b.open()
	b.run(b.spec(works))
	act := b.settled()
	require.Equal(t, engine.Abandoned, act.Outcome.Status)
	require.Contains(t, act.Outcome.Detail, "it had begun, and is not there any more")
	require.Empty(t, b.jobs.begun())
}

// It has to be what the agent may do today, and not be too old.
func TestAnEventsActIsNotDoneAfterARestartThatForbidsIt(t *testing.T) {
	for name, row := range map[string]struct {
		today func(*engine.Spec)
		after time.Duration
		why   string
	}{
		"the strategy is gone":        {func(s *engine.Spec) { s.Strategies = []string{"t.scaling"} }, 0, "t.onevent is no longer among the agent's strategies"},
		"the primitive is gone":       {func(s *engine.Spec) { s.Primitives = []string{"hook"} }, 0, "scale is no longer among the agent's primitives"},
		"a person is to be asked now": {func(s *engine.Spec) { s.Guards.Approval = []string{"scale"} }, 0, "scale waits for a person by now"},
		"it was long ago":             {func(*engine.Spec) {}, 2 * time.Hour, "not settled within 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, onEvent)
			b.stuck(true)
			b.world.set("web", 1)
			b.run(b.spec(scalesOnEvent))
			require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
			b.next()
			b.restart()
			b.stuck(false)
			b.clock.Advance(row.after)
			b.run(b.spec(scalesOnEvent, row.today))
			act := b.settled()
			require.Equal(t, engine.Abandoned, act.Outcome.Status)
			require.Contains(t, act.Outcome.Detail, row.why)
			require.Zero(t, b.world.count())
		})
	}
}

// An act that began in earnest and ended while its agent ran dry gives its claim back to
// everybody.
func TestAClaimIsGivenBackThoughTheAgentRunsDryByThen(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	b.load.to("web", 20)
	b.run(b.spec(b.starting))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { return len(b.jobs.begun()) == 1 })
	b.close()
	b.open()
	b.run(b.spec(b.starting, func(s *engine.Spec) { s.Mode = engine.DryRun }))
	b.jobs.set(b.jobs.begun()[0], engine.Done)
	for act := b.ended(); act.DryRun; act = b.ended() {
	}
	require.Empty(t, b.host.Claims())
}
