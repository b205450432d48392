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
	handlesEvents(s)
	s.Strategies, s.Primitives = []string{"t.onevent"}, []string{"scale"}
}

// blockActs makes every later act hang before it has an effect, or stops doing so.
func (b *bench) blockActs(yes bool) {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	b.world.block = nil
	if yes {
		b.world.block = func(string) <-chan struct{} { return nil }
	}
}

// An event is handled once its firing is recorded, and is not sent again, so its act is done
// after the restart if the process died before the act.
func TestAnEventsActIsDoneAfterACrash(t *testing.T) {
	b := newBench(t, onEvent)
	b.blockActs(true)
	b.world.set("web", 1)
	b.run(b.spec(scalesOnEvent))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	admitted := only(t, b.next())
	b.restart()
	b.blockActs(false)
	b.run(b.spec(scalesOnEvent))
	act := b.nextAct()
	require.Equal(t, admitted.Identity, act.Identity)
	require.Equal(t, engine.Done, act.Outcome.Status, act.Outcome.Detail)
	require.Equal(t, 1, b.world.count())
}

// The same holds for an approved act, since its approval is used.
func TestAnApprovedActIsDoneAfterACrash(t *testing.T) {
	b := newBench(t)
	b.blockActs(true)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.approve()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.restart()
	b.blockActs(false)
	b.run(b.spec(needsApproval))
	act := b.nextAct()
	require.Equal(t, engine.Done, act.Outcome.Status, act.Outcome.Detail)
	require.Equal(t, b.approval(q.ID).Identity, act.Identity)
	require.Equal(t, 1, b.world.count())
}

// An act whose actuator reports that it never began is started.
func TestAnEventsWorkflowThatNeverBeganIsStarted(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	require.NoError(t, b.journal.Intend(t.Context(), engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: "lost", Agent: "ns/planner", Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}, Strategy: "t.starting", Primitive: "job"}},
		Claim:  "workflow/job", At: start, Irreproducible: true,
	}))
	b.run(b.spec(b.startsJobs))
	b.eventually(func() bool { return len(b.jobs.begun()) == 1 })
	require.Equal(t, []string{"lost"}, b.jobs.begun())
	require.Equal(t, "workflow/job", b.manager.Claims()[0].Claim)
	b.jobs.set("lost", engine.Done)
	require.Equal(t, "lost", b.advanceToAct().Identity)
}

// A workflow that had begun and is gone after the restart had ended and was cleaned up, or a
// person deleted it. It is not started again.
func TestAnEventsActThatHadBegunIsNotRepeated(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.starting

propose contains {"primitive": "job", "with": {}, "reason": "asked", "because": []} if input.trigger.kind == "event"
`)
	b.world.set("web", 1)
	works := func(s *engine.Spec) {
		handlesEvents(s)
		s.Strategies, s.Primitives = []string{"t.starting"}, []string{"job"}
	}
	b.run(b.spec(works))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
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
	act := b.nextAct()
	require.Equal(t, engine.Abandoned, act.Outcome.Status)
	require.Contains(t, act.Outcome.Detail, "it had begun, and is not there any more")
	require.Empty(t, b.jobs.begun())
}

// The current spec must allow the act, and the act must not be too old.
func TestAnEventsActIsAbandonedIfNoLongerAllowed(t *testing.T) {
	for name, row := range map[string]struct {
		today func(*engine.Spec)
		after time.Duration
		why   string
	}{
		"the strategy is gone":  {func(s *engine.Spec) { s.Strategies = []string{"t.scaling"} }, 0, "t.onevent is no longer among the agent's strategies"},
		"the primitive is gone": {func(s *engine.Spec) { s.Primitives = []string{"hook"} }, 0, "scale is no longer among the agent's primitives"},
		"it needs approval now": {func(s *engine.Spec) { s.Guards.Approval = []string{"scale"} }, 0, "scale waits for a person by now"},
		"it was long ago":       {func(*engine.Spec) {}, 2 * time.Hour, "not settled within 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, onEvent)
			b.blockActs(true)
			b.world.set("web", 1)
			b.run(b.spec(scalesOnEvent))
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			b.next()
			b.restart()
			b.blockActs(false)
			b.clock.Advance(row.after)
			b.run(b.spec(scalesOnEvent, row.today))
			act := b.nextAct()
			require.Equal(t, engine.Abandoned, act.Outcome.Status)
			require.Contains(t, act.Outcome.Detail, row.why)
			require.Zero(t, b.world.count())
		})
	}
}

// An act that was begun by an enforcing agent and ends while the agent is in dry run releases
// its claim for all agents.
func TestAClaimIsReleasedThoughTheAgentIsInDryRunByThen(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	b.load.setValue("web", 20)
	b.run(b.spec(b.startsJobs))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { return len(b.jobs.begun()) == 1 })
	b.close()
	b.open()
	b.run(b.spec(b.startsJobs, func(s *engine.Spec) { s.Mode = engine.DryRun }))
	b.jobs.set(b.jobs.begun()[0], engine.Done)
	for act := b.advanceToAct(); act.DryRun; act = b.advanceToAct() {
	}
	require.Empty(t, b.manager.Claims())
}
