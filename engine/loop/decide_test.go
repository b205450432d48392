package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

func TestRisingLoadScalesUpAndIsRecorded(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec())
	d := only(t, b.next())
	require.Equal(t, engine.Admitted, d.Verdict, d.Detail)
	require.Equal(t, "replicas 1 -> 4", d.Detail)
	act := b.nextAct()
	require.Equal(t, engine.Done, act.Outcome.Status)
	require.Equal(t, map[string]int{"web": 4}, b.world.state())

	quiet := b.tick()
	require.Empty(t, quiet.Decisions)
	require.Equal(t, 1, quiet.Evaluated, "the target has changed")
	require.Equal(t, 0, b.tick().Evaluated, "and now nothing has")

	reader, err := b.journal.Reader()
	require.NoError(t, err)
	rows, err := reader.Decisions(t.Context(), journal.Filter{Target: "ns/web"})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, engine.Done, rows[0].Outcome.Status)
	require.Equal(t, act.Identity, rows[0].Identity)
	doc, err := reader.Document(t.Context(), rows[0].ID)
	require.NoError(t, err)
	read, err := engine.ReadDocument(doc)
	require.NoError(t, err)
	require.Equal(t, 35.0, read.Signals[0].Value, "the document is kept, and can be decided on again")
	p, err := loop.PreviewDocument(t.Context(), b.manager.Config, b.spec(), read)
	require.NoError(t, err)
	require.EqualValues(t, 4, p.Decisions[0].With["replicas"])
}

// Never 1: a missing, stale or NaN signal is read as a number. Defects 1 and 2 of the
// published system are tested in package sensors.
func TestAProposalRestingOnASignalThatIsNotOKIsRefused(t *testing.T) {
	const blind = `package scanflow.strategies.t.blind

propose contains p if {
	not input.signals.load.value
	p := {"primitive": "scale", "with": {"replicas": 1}, "reason": "no_load", "because": ["load"]}
}
`
	const seeing = `package scanflow.strategies.t.seeing

propose contains p if {
	input.signals.load.state == "empty"
	p := {"primitive": "scale", "with": {"replicas": 1}, "reason": "nobody_there", "because": ["load:empty"]}
}
`
	for state, admitted := range map[engine.State]bool{engine.Empty: true, engine.NaN: false, engine.Stale: false, engine.Error: false} {
		t.Run(string(state), func(t *testing.T) {
			b := newBench(t, blind, seeing)
			b.world.set("web", 4)
			b.load.set("web", engine.Signal{State: state, Problem: "as the test has it"})
			b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.blind"} }))
			d := only(t, b.next())
			require.Equal(t, engine.Refused, d.Verdict)
			require.Equal(t, "signals", d.By)
			require.Contains(t, d.Detail, "load is "+string(state)+", not ok (as the test has it)")

			b.run(b.spec(func(s *engine.Spec) { s.Strategies, s.Generation = []string{"t.seeing"}, "2" }))
			f := b.next()
			if admitted {
				require.Equal(t, engine.Admitted, only(t, f).Verdict, "a strategy that means to act on absence says so")
				b.nextAct()
			} else {
				require.Empty(t, f.Decisions)
			}
		})
	}
}

func TestWhatAnAgentMayNotDoIsRefusedAndRecorded(t *testing.T) {
	const odd = `package scanflow.strategies.t.odd

propose contains {"primitive": verb, "with": {"replicas": 1}, "reason": "odd", "because": []} if {
	some verb in ["scale", "place", "launder"]
}
`
	b := newBench(t, odd)
	b.world.set("web", 4)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies, s.Primitives = []string{"t.odd"}, []string{"launder"} }))
	by := map[string]string{}
	for _, d := range b.next().Decisions {
		require.Equal(t, engine.Refused, d.Verdict)
		by[d.Primitive] = d.Detail
	}
	require.Equal(t, map[string]string{
		"scale":   "scale is not among the agent's primitives (launder)",
		"place":   "place is not among the agent's primitives (launder)",
		"launder": "nothing here offers launder (scale, traffic and restart want --workloads)",
	}, by)
	require.Empty(t, b.tick().Decisions, "the same refusals again cost no row")
}

func TestAProposalIsAdmittedOnceItsCooldownEnds(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 4)
	b.load.setValue("web", 15)
	b.run(b.spec(func(s *engine.Spec) {
		s.Guards = engine.Guards{Replicas: &engine.ReplicaGuard{StepDown: 1}, Cooldown: map[string]time.Duration{"down": 25 * time.Second}}
	}))
	require.Equal(t, "replicas 4 -> 3 (clamped from 2 to 3: stepDown 1)", only(t, b.next()).Detail)
	b.nextAct()
	require.Equal(t, "guards.cooldown", only(t, b.tick()).By)
	again := b.tick()
	require.Equal(t, 0, again.Evaluated)
	require.Empty(t, again.Decisions)
	last := b.tick()
	require.Equal(t, 0, last.Evaluated, "the target is skipped")
	require.Equal(t, engine.Admitted, only(t, last).Verdict, "and what it proposed is kept")
	b.nextAct()
	require.Equal(t, map[string]int{"web": 2}, b.world.state())
}

func TestANoOpStartsNoCooldownAndSpendsNoBudget(t *testing.T) {
	const stubborn = `package scanflow.strategies.t.stubborn

propose contains {"primitive": "scale", "with": {"replicas": 3}, "reason": "always", "because": []}
`
	b := newBench(t, stubborn)
	b.world.set("web", 3)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies = []string{"t.stubborn"}
		s.Guards = engine.Guards{Cooldown: map[string]time.Duration{"up": time.Hour, "down": time.Hour}, Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour}}
	}))
	require.Equal(t, engine.Unchanged, only(t, b.next()).Verdict)
	require.Empty(t, b.tick().Decisions)
	b.world.set("web", 2)
	require.Equal(t, engine.Admitted, only(t, b.tick()).Verdict)
	b.nextAct()
	b.tick()
	b.world.set("web", 2)
	require.Equal(t, "guards.cooldown", only(t, b.tick()).By, "a real act does")
}

// Never 10: a dry run with a side effect, or one that decides differently.
func TestADryRunDecidesTheSameAndDoesNothing(t *testing.T) {
	run := func(mode engine.Mode) (verdicts []string, b *bench) {
		b = newBench(t)
		b.world.set("web", 1)
		b.run(b.spec(func(s *engine.Spec) {
			s.Mode = mode
			s.Guards = engine.Guards{Replicas: &engine.ReplicaGuard{Max: 3}, Cooldown: map[string]time.Duration{"up": 15 * time.Second}, Budget: &engine.BudgetGuard{Actions: 2, Per: time.Hour}}
		}))
		for i, load := range []float64{25, 35, 25, 45, 15, 35} {
			if i == 0 {
				b.next()
			}
			b.load.setValue("web", load)
			b.world.set("web", 1) // both modes see the same world
			for _, d := range b.tick().Decisions {
				verdicts = append(verdicts, string(d.Verdict)+" "+d.By+" "+d.Detail)
				require.Equal(t, mode == engine.DryRun && d.Verdict == engine.Admitted, d.DryRun)
				if d.Verdict == engine.Admitted {
					require.Equal(t, mode == engine.DryRun, b.nextAct().DryRun)
				}
			}
		}
		return verdicts, b
	}
	real, acting := run(engine.Enforce)
	dry, idle := run(engine.DryRun)
	require.Equal(t, real, dry)
	require.NotEmpty(t, dry)
	require.NotZero(t, acting.world.count())
	require.Zero(t, idle.world.count())
}

func TestAPausedAgentSensesAndAdmitsNothing(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Mode = engine.Paused }))
	f := b.next()
	require.Equal(t, "mode", only(t, f).By)
	require.Equal(t, 1, f.Signals[engine.OK])
	require.Zero(t, b.world.count())
}

// Never 3: one firing uses one revision, and a broken one never replaces a good one.
func TestPoliciesAreSwappedBetweenFirings(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Mode = engine.DryRun }))
	first := b.next()
	require.EqualValues(t, 4, only(t, first).With["replicas"])

	good := b.files["p0.rego"].Data
	b.files["p0.rego"].Data = []byte("package scanflow.strategies.t.scaling\n\npropose contains")
	require.Error(t, b.policies.Load(t.Context()))
	require.Equal(t, first.Revision, b.tick().Revision, "the old revision stays in use")

	b.files["p0.rego"].Data = append([]byte("# a comment\n"), good...)
	require.NoError(t, b.policies.Load(t.Context()))
	second := b.tick()
	require.NotEqual(t, first.Revision, second.Revision)
	require.Equal(t, 1, second.Evaluated, "skipped targets are evaluated again")
}
