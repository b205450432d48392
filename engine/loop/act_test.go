package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Never 2 and never 6: two owners of one field; one slow target blocking another.
func TestASlowActBlocksOnlyItsClaim(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	open := make(chan struct{})
	close(open)
	b.world.block = func(target string) <-chan struct{} {
		if target == "slow" {
			return release
		}
		return open
	}
	b.world.set("slow", 1)
	b.world.set("fast", 1)
	b.load.setValue("slow", 35)
	b.load.setValue("fast", 35)
	other := b.spec(func(s *engine.Spec) {
		s.Name, s.Triggers = "rival", []engine.Trigger{{Name: "late", At: start.Add(15 * time.Second)}}
	})
	b.run(b.spec(), other)
	require.Len(t, b.next().Decisions, 2)
	require.Equal(t, "fast", b.nextAct().Target.Name)
	b.load.setValue("fast", 45)
	f := b.tick()
	require.Equal(t, engine.Admitted, f.Decisions[0].Verdict, "the fast target is not blocked")
	require.Equal(t, "claims", f.Decisions[1].By)
	require.Contains(t, f.Decisions[1].Detail, "replicas is held by scale of ns/planner (running)")
	b.nextAct()

	b.clock.Advance(5 * time.Second)
	f = b.next()
	require.Equal(t, "ns/rival", f.Agent)
	require.Equal(t, "claims", only(t, f).By, "the claim blocks other agents too")
	close(release)
	require.Equal(t, "slow", b.nextAct().Target.Name)
}

func TestAClaimOutlivesItsActByTheCooldownForOthers(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	cooling := func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"up": time.Minute} }
	b.run(b.spec(cooling), b.spec(func(s *engine.Spec) {
		s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(5 * time.Second)}, {At: start.Add(65 * time.Second)}}
	}))
	b.next()
	b.nextAct()
	b.load.setValue("web", 5)
	b.clock.Advance(5 * time.Second)
	f := b.next()
	require.Equal(t, "ns/rival", f.Agent)
	require.Contains(t, only(t, f).Detail, "cooling until 2026-03-01T12:01:00Z")
	b.load.setValue("web", 35)
	for f.Agent != "ns/rival" || f.At.Before(start.Add(time.Minute)) {
		b.load.setValue("web", 5)
		b.clock.Advance(5 * time.Second)
		for len(b.fired) > 0 {
			f = b.next()
		}
		if len(b.acted) > 0 {
			break
		}
	}
	require.Equal(t, "scale", b.nextAct().Primitive)
}

func TestOnlyATransientErrorIsRetried(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		more bool
	}{"may pass": {engine.Retry(errors.New("503")), true}, "final": {errors.New("no such thing"), false}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.world.fail = row.err
			b.load.setValue("web", 35)
			b.run(b.spec(func(s *engine.Spec) { s.Triggers = []engine.Trigger{{At: start}} }))
			b.next()
			if row.more {
				require.Eventually(t, func() bool { b.clock.Advance(10 * time.Millisecond); return b.world.count() >= 3 }, 10*time.Second, time.Millisecond)
				b.world.mu.Lock()
				b.world.fail = nil
				b.world.mu.Unlock()
				require.Eventually(t, func() bool { b.clock.Advance(10 * time.Millisecond); return len(b.acted) == 1 }, 10*time.Second, time.Millisecond)
				require.Equal(t, engine.Done, b.nextAct().Outcome.Status)
				for _, c := range b.world.applied {
					require.Equal(t, b.world.applied[0].Identity, c.Identity, "every attempt under one identity")
				}
				return
			}
			act := b.nextAct()
			require.Equal(t, engine.Failed, act.Outcome.Status)
			require.Equal(t, "no such thing", act.Outcome.Detail)
			require.Equal(t, 1, b.world.count())
		})
	}
}

// Never 4: an act without an intent, or an intent forgotten after a crash.
func TestAJournalFailureStopsActsAndNotSensing(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	f.firing.Store(true)
	b.run(b.spec())
	rec := b.next()
	require.Equal(t, "journal", only(t, rec).By)
	require.Contains(t, rec.Problems[0], "the journal can't be written, so nothing is done: no space left")
	again := b.tick()
	require.Empty(t, again.Decisions, "it is recorded once")
	require.Equal(t, rec.Problems, again.Problems, "and in the same words")
	require.Equal(t, 1, rec.Signals[engine.OK])
	require.Zero(t, b.world.count())

	f.firing.Store(false)
	require.Equal(t, engine.Admitted, only(t, b.tick()).Verdict, "and it goes on by itself")
	require.Equal(t, engine.Done, b.nextAct().Outcome.Status)
	require.Equal(t, 1, b.world.count())

	f.conclusion.Store(true)
	b.load.setValue("web", 45)
	b.tick()
	b.nextAct()
	f.conclusion.Store(false)
	require.Eventually(t, func() bool {
		b.clock.Advance(time.Second)
		open, err := b.journal.Open(t.Context(), "ns/planner")
		return err == nil && len(open) == 0
	}, 10*time.Second, time.Millisecond, "an outcome that could not be written is written later")
}

func TestIntentsAreRecoveredAfterACrash(t *testing.T) {
	const calling = `package scanflow.strategies.t.calling

propose contains {"primitive": "hook", "with": {}, "reason": "once", "because": ["load"]} if input.signals.load.value > 30
`
	for name, row := range map[string]struct {
		strategy string
		landed   bool
		want     engine.Status
		detail   string
		sent     int
	}{
		"in place":               {"t.scaling", true, engine.Done, "found in place after a restart", 0},
		"not in place":           {"t.scaling", false, engine.Abandoned, "not in place after a restart", 0},
		"nobody would ask again": {"t.calling", false, engine.Done, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, calling)
			b.world.set("web", 1)
			in := engine.Intent{
				Change: engine.Change{Diff: "replicas 1 -> 4", Proposal: engine.Proposal{Identity: "abc", Agent: "ns/planner", Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}, Strategy: row.strategy, Primitive: "scale", With: map[string]any{"replicas": 4.0}}},
				Firing: "f", Claim: "replicas", Direction: engine.Up, At: start,
			}
			if row.sent > 0 {
				in.Primitive, in.Claim, in.Direction, in.With = "hook", "", "", map[string]any{}
			}
			require.NoError(t, b.journal.Intend(t.Context(), in))
			if row.landed {
				b.world.set("web", 4)
			}
			b.restart()
			b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.scaling", "t.calling"} }))
			b.next()
			act := b.nextAct()
			require.Equal(t, "abc", act.Identity)
			require.Equal(t, row.want, act.Outcome.Status)
			require.Contains(t, act.Outcome.Detail, row.detail)
			if row.landed {
				require.Equal(t, "replicas 1 -> 4: found in place after a restart", act.Diff+": "+act.Outcome.Detail, "its own change, not that of a new plan")
			}
			require.Zero(t, b.world.count(), "it is not done again")
			require.Len(t, b.world.sent, row.sent)
			for _, c := range b.world.sent {
				require.Equal(t, "abc", c.Identity, "sent again under its identity")
			}
			open, err := b.journal.Open(t.Context(), "ns/planner")
			require.NoError(t, err)
			require.Empty(t, open)
		})
	}
}

func TestShutdownFinishesAnActOrHandsItOver(t *testing.T) {
	for name, finishes := range map[string]bool{"finishes": true, "hands over": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			release := make(chan struct{})
			b.world.block = func(string) <-chan struct{} { return release }
			b.world.set("web", 1)
			b.load.setValue("web", 35)
			b.run(b.spec())
			b.next()
			require.Eventually(t, func() bool {
				open, err := b.journal.Open(t.Context(), "ns/planner")
				return err == nil && len(open) == 1
			}, 10*time.Second, time.Millisecond)
			if finishes {
				close(release)
			}
			b.restart()
			open, err := b.journal.Open(t.Context(), "ns/planner")
			require.NoError(t, err)
			if finishes {
				require.Empty(t, open)
				require.Equal(t, 1, b.world.count())
				return
			}
			require.Len(t, open, 1)
			b.world.block = nil
			b.run(b.spec())
			require.Equal(t, engine.Abandoned, b.nextAct().Outcome.Status)
			require.Equal(t, engine.Admitted, only(t, b.next()).Verdict, "and decided afresh")
			b.nextAct()
			require.Equal(t, 1, b.world.count())
		})
	}
}

// Defect 8 of the published system: state was lost when an agent restarted.
func TestDefect8MemoryAndLastReadingsSurviveARestart(t *testing.T) {
	const forgetful = `package scanflow.strategies.t.forgetful

propose contains p if {
	not input.memory["t.forgetful"].note
	p := {"primitive": "scale", "with": {"replicas": 2}, "reason": "first", "because": [], "note": {"seen": 7}}
}

propose contains p if {
	input.memory["t.forgetful"].note.seen == 7
	input.memory["t.forgetful"].last.scale.outcome == "done"
	p := {"primitive": "scale", "with": {"replicas": 3}, "reason": "second", "because": []}
}
`
	b := newBench(t, forgetful)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	spec := b.spec(func(s *engine.Spec) {
		s.Strategies = []string{"t.forgetful"}
		s.Guards = engine.Guards{Cooldown: map[string]time.Duration{"up": time.Minute}, Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour}}
	})
	b.run(spec)
	require.Equal(t, "first", only(t, b.next()).Reason)
	b.nextAct()
	b.restart()
	b.load.set("web", engine.Signal{State: engine.Empty})
	b.run(spec)
	f := b.next()
	d := only(t, f)
	require.Equal(t, "second", d.Reason, "note and outcome are remembered")
	require.Equal(t, "guards.cooldown", d.By, "the cooldown still runs")
	require.Equal(t, 1, f.Signals[engine.Stale], "a series that was there a moment ago is stale, not empty")
	for range 6 {
		f = b.tick()
	}
	require.Equal(t, "guards.budget", only(t, f).By, "the budget stays spent")
	require.Equal(t, 1, b.world.count())
}

func TestAnAgentWithoutItsMemorySensesAndDoesNothing(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	f.memory.Store(true)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec())
	rec := b.next()
	require.Equal(t, "journal", only(t, rec).By)
	require.Equal(t, 1, rec.Signals[engine.OK])
	require.Contains(t, rec.Problems[0], "read the agent's memory: no space left")
	f.memory.Store(false)
	require.Equal(t, engine.Admitted, only(t, b.tick()).Verdict)
	b.nextAct()
	require.Equal(t, 1, b.world.count())
}

// A failed act is retried with growing pauses, and not at every firing. Another act of the
// same verb is not delayed.
func TestAFailedActIsRetriedWithBackoff(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.world.fail = errors.New("forbidden")
	b.load.setValue("web", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Triggers = []engine.Trigger{{Name: "tick", Every: time.Second}} }))
	f := b.next()
	var tried []time.Duration
	for f.At.Before(start.Add(20 * time.Second)) {
		if d := f.Decisions; len(d) == 1 && d[0].Verdict == engine.Admitted {
			tried = append(tried, f.At.Sub(start))
			require.Equal(t, engine.Failed, b.nextAct().Outcome.Status)
		} else if len(d) == 1 {
			require.Equal(t, "backoff", d[0].By)
		}
		b.clock.Advance(time.Second)
		f = b.next()
	}
	require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}, tried)

	b.load.setValue("web", 25)
	b.clock.Advance(time.Second)
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict, "another number is another act")
	b.nextAct()
}
