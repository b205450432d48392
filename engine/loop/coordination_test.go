package loop_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Never 4: every act that was recorded as admitted is recovered, whether it had begun or not.
func TestActsThatHadNotBegunAreRecovered(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	const n = 40 // more than may run at once
	for i := range n {
		b.world.set(fmt.Sprint(i), 1)
		b.load.setValue(fmt.Sprint(i), 35)
	}
	b.run(b.spec())
	require.Len(t, b.next().Decisions, n)
	b.restart()
	open, err := b.journal.Open(t.Context(), "ns/planner")
	require.NoError(t, err)
	require.Len(t, open, n)
	require.Zero(t, b.world.count())
	close(release)
	b.run(b.spec())
	for range 2 * n { // each is abandoned, and then decided again
		b.nextAct()
	}
	require.Equal(t, n, b.world.count())
}

// Never 10: a dry run with a side effect.
func TestADryRunBlocksNoOtherAgent(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	cooling := func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"up": time.Hour} }
	b.run(b.spec(cooling, func(s *engine.Spec) { s.Name, s.Mode = "canary", engine.DryRun }), b.spec(func(s *engine.Spec) {
		s.Triggers = []engine.Trigger{{At: start.Add(5 * time.Second)}}
	}))
	require.True(t, only(t, b.next()).DryRun)
	b.nextAct()
	b.clock.Advance(5 * time.Second)
	f := b.next()
	require.Equal(t, "ns/planner", f.Agent)
	require.Equal(t, engine.Admitted, only(t, f).Verdict, f.Decisions[0].Detail)
	b.nextAct()
	require.Equal(t, 1, b.world.count())

	b.load.setValue("web", 55)
	f = b.tick()
	require.Equal(t, "ns/canary", f.Agent)
	require.Equal(t, engine.Refused, only(t, f).Verdict, "but it sees what it would have held, as in earnest")
}

func TestAnEventWaitsUntilTheFleetCanBeListed(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.world.lost = errors.New("no answer")
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Contains(t, b.next().Problems[0], "list targets: no answer")
	b.world.mu.Lock()
	b.world.lost = nil
	b.world.mu.Unlock()
	require.Eventually(t, func() bool { b.clock.Advance(time.Second); return len(b.acted) == 1 }, 10*time.Second, time.Millisecond)
	require.Len(t, b.world.sent, 1)
}

func TestAnEventSentDuringARestartIsHandled(t *testing.T) {
	b := newBench(t, answering)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("slow")))
	b.next()
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Generation = "2" }))
	}()
	require.Eventually(t, func() bool { return len(b.manager.Agents()) == 0 }, 10*time.Second, time.Millisecond, "it is being stopped")
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("meanwhile")))
	close(release)
	<-applied
	for only(t, b.next()).With["id"] != "meanwhile" {
	}
	b.nextAct()
	b.nextAct()
}

func TestNeitherTicksNorEventsStarveTheOther(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	waiting := make(chan struct{})
	slow := sampleFunc(func() { // longer than the interval
		<-waiting
		b.clock.Advance(15 * time.Second)
	})
	b.run(b.spec(handlesEvents, func(s *engine.Spec) {
		s.Triggers = append(s.Triggers, engine.Trigger{Name: "tick", Every: 10 * time.Second})
		s.Sensors[0].Sensor = slow
	}))
	for i := range 5 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	close(waiting) // all wait, so that a tick is not first just because the sender is slow
	kinds := map[string]int{}
	for kinds["event"] < 5 {
		kinds[b.next().Trigger.Kind]++
		require.Less(t, kinds["every"], 20, "events starve")
	}
	require.GreaterOrEqual(t, kinds["every"], 3, "ticks starve")
	for range 5 {
		b.nextAct()
	}
}

// sampleFunc is a sensor that calls a function when it samples.
type sampleFunc func()

func (s sampleFunc) Sample(_ context.Context, _ time.Time, fleet []engine.Target) (engine.Reading, error) {
	s()
	return make(engine.Reading, len(fleet)), nil
}

func TestAnOpenOneShotIsRetriedOnlyIfStillAllowed(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*engine.Spec)
		want   engine.Status
	}{
		"paused":              {func(s *engine.Spec) { s.Mode = engine.Paused }, ""},
		"dry":                 {func(s *engine.Spec) { s.Mode = engine.DryRun }, ""},
		"may not use it":      {func(s *engine.Spec) { s.Primitives = []string{"scale"} }, engine.Abandoned},
		"may not go there":    {func(s *engine.Spec) { s.Guards.URLs = []string{} }, engine.Abandoned},
		"waits for approval":  {func(s *engine.Spec) { s.Guards.Approval = []string{"hook"} }, engine.Abandoned},
		"without any trigger": {func(s *engine.Spec) { s.Triggers = nil }, engine.Done},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			require.NoError(t, b.journal.Intend(t.Context(), engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Identity: "abc", Agent: "ns/planner", Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}, Strategy: "t.scaling", Primitive: "hook", With: map[string]any{"url": "http://127.0.0.1/"}}},
				Firing: "f", At: start,
			}))
			b.restart()
			b.run(b.spec(row.change))
			if row.want != "" {
				require.Equal(t, row.want, b.nextAct().Outcome.Status)
			} else {
				b.next()
				open, err := b.journal.Open(t.Context(), "ns/planner")
				require.NoError(t, err)
				require.Len(t, open, 1, "it waits")
			}
			if row.want == engine.Done {
				require.Len(t, b.world.sent, 1)
			} else {
				require.Empty(t, b.world.sent)
			}
		})
	}
}

func TestANoOpBlocksNoOtherAct(t *testing.T) {
	const threes = `package scanflow.strategies.t.threes

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "always", "because": []}
`
	b := newBench(t, threes)
	b.world.set("a", 3)
	b.world.set("b", 1)
	b.world.set("c", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies = []string{"t.threes"}
		s.Guards.Fleet = &engine.FleetGuard{Targets: 1, Per: time.Minute}
		s.Guards.Cooldown = map[string]time.Duration{"up": time.Hour}
	}), b.spec(func(s *engine.Spec) {
		s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(25 * time.Second)}}
	}))
	verdicts := []engine.Verdict{}
	for _, d := range b.next().Decisions {
		verdicts = append(verdicts, d.Verdict)
	}
	require.Equal(t, []engine.Verdict{engine.Unchanged, engine.Admitted, engine.Refused}, verdicts, "the one place goes to who needs it")
	b.nextAct()
	b.tick()
	b.tick() // b has the wanted replicas: a no-op on a claim that cools down
	b.load.setValue("b", 55)
	b.clock.Advance(5 * time.Second)
	for f := b.next(); ; f = b.next() {
		if f.Agent == "ns/rival" {
			require.Equal(t, "claims", only(t, f).By, "and the claim still cools down for others")
			return
		}
	}
}

func TestTheSameActIsAdmittedOnce(t *testing.T) {
	const twice = `package scanflow.strategies.t.twice

propose contains {"primitive": "hook", "with": {"n": 1}, "reason": reason, "because": []} if some reason in ["one", "other"]
`
	b := newBench(t, twice)
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.twice"} }))
	f := b.next()
	require.Len(t, f.Decisions, 2)
	require.Equal(t, engine.Admitted, f.Decisions[0].Verdict)
	require.Equal(t, "the same act is admitted already", f.Decisions[1].Detail)
	b.nextAct()
	require.Len(t, b.world.sent, 1)
}

func TestARunningCallIsNotRepeated(t *testing.T) {
	const calling = `package scanflow.strategies.t.calling

propose contains {"primitive": "hook", "with": {}, "reason": "up", "because": []}
`
	b := newBench(t, calling)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.calling"} }))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	require.Equal(t, "the same hook is still under way", only(t, b.tick()).Detail)
	b.tick()
	close(release)
	b.nextAct()
	require.Equal(t, engine.Admitted, only(t, b.tick()).Verdict)
	b.nextAct()
}

// A policy that fails, or returns an invalid result, on one target does not affect other
// targets and agents.
func TestAStrategyFailureOnOneTargetDoesNotAffectOthers(t *testing.T) {
	const picky = `package scanflow.strategies.t.picky

propose contains {"primitive": "scale", "with": {"replicas": 2}, "reason": "two", "because": []} if input.target.name != "bad"

propose contains {"primitive": input.params.verb, "with": {}, "reason": "wrong", "because": []} if {
	input.target.name == "bad"
	input.params.how == "shape"
}

propose contains {"primitive": "scale", "with": {"replicas": n}, "reason": "endless", "because": []} if {
	input.target.name == "bad"
	input.params.how == "endless"
	n := count([1 | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); x == y])
}
`
	for how, message := range map[string]string{"shape": "primitive", "endless": "stopped"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t, picky)
			b.world.set("bad", 1)
			b.world.set("good", 1)
			b.load.setValue("good", 35)
			b.run(b.spec(func(s *engine.Spec) {
				s.Strategies, s.Params = []string{"t.picky"}, map[string]any{"how": how, "verb": 7.0}
			}),
				b.spec(func(s *engine.Spec) { s.Name, s.Mode = "rival", engine.DryRun }))
			agents := map[string]engine.FiringRecord{}
			for range 2 {
				f := b.next()
				agents[f.Agent] = f
			}
			f := agents["ns/planner"]
			require.Equal(t, "good", only(t, f).Target.Name)
			require.Equal(t, engine.Admitted, f.Decisions[0].Verdict)
			require.Len(t, f.Problems, 1)
			require.Contains(t, f.Problems[0], "strategy t.picky: ")
			require.Contains(t, f.Problems[0], message)
			require.Contains(t, f.Problems[0], "(1 of 2 targets)")
			require.Len(t, agents["ns/rival"].Decisions, 1)
			for b.nextAct().Agent != "ns/planner" {
			}
		})
	}
}

// Where the guards admit one of two, it is the one with the higher priority, whatever their
// claims: two rollouts of one target, or the last act of a budget.
func TestTheHigherPriorityIsAdmittedFirst(t *testing.T) {
	const low = `package scanflow.strategies.t.alow

propose contains {"primitive": "scale", "with": {"replicas": 2}, "priority": 1, "reason": "low", "because": []}
`
	const high = `package scanflow.strategies.t.high

propose contains {"primitive": "hook", "with": {}, "priority": 10, "reason": "high", "because": []}
`
	b := newBench(t, low, high)
	b.world.set("one", 1)
	b.world.set("two", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies = []string{"t.alow", "t.high"}
		s.Guards.Budget = &engine.BudgetGuard{Actions: 1, Per: time.Hour}
	}))
	for _, d := range b.next().Decisions {
		want := engine.Admitted
		if d.Strategy == "t.alow" {
			want = engine.Refused
		}
		require.Equal(t, want, d.Verdict, "%s of %s", d.Primitive, d.Target)
	}
	b.nextAct()
	b.nextAct()
}

// While a reload restarts an agent, its interrupted act, which the agent continues, keeps its
// claim. An agent that is removed keeps none.
func TestAnActInterruptedByAReloadKeepsItsClaim(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	b.world.block = func(string) <-chan struct{} { return nil }
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec())
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	apply := func(specs ...engine.Spec) {
		applied := make(chan struct{})
		go func() { defer close(applied); b.run(specs...) }()
		b.eventually(func() bool {
			select {
			case <-applied:
				return true
			default:
				return false
			}
		})
	}
	var meanwhile []engine.HeldClaim
	w.readings = func() { meanwhile = b.manager.Claims() }
	apply(b.spec(func(s *engine.Spec) { s.Generation, s.Triggers = "2", nil }))
	require.Len(t, meanwhile, 1)
	require.Equal(t, "replicas", meanwhile[0].Claim)
	require.Equal(t, engine.Abandoned, b.nextAct().Outcome.Status)
	require.Eventually(t, func() bool { return len(b.manager.Claims()) == 0 }, 10*time.Second, time.Millisecond)

	b.run(b.spec(func(s *engine.Spec) { s.Generation = "3" }))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	require.Len(t, b.manager.Claims(), 1)
	apply()
	require.Empty(t, b.manager.Claims())
}
