package loop_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// counting proposes a check once more than 99 have come since the last one.
const counting = `package scanflow.strategies.t.counting

propose contains p if {
	input.signals.load.value > 99
	p := {"primitive": "hook", "with": {"new": input.signals.load.value}, "reason": "enough", "because": ["load"], "marks": ["checked"]}
}
`

func counts(s *engine.Spec) {
	s.Strategies = []string{"t.counting"}
	s.Sensors[0].Since = "checked"
}

// Defect 8 of the published system: sensor state was lost when an agent restarted.
func TestDefect8BaselinesSurviveARestart(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.setValue("web", 90)
	b.run(b.spec(counts))
	require.Empty(t, b.next().Decisions, "90 since ever")
	b.load.setValue("web", 130)
	require.EqualValues(t, 130, only(t, b.tick()).With["new"])
	b.nextAct()
	require.Empty(t, b.tick().Decisions, "none since the baseline")

	b.load.setValue("web", 200)
	b.restart()
	b.run(b.spec(counts))
	require.Empty(t, b.next().Decisions, "70 since the baseline, which an earlier process set")
	b.load.setValue("web", 230)
	require.EqualValues(t, 100, only(t, b.tick()).With["new"])
	b.nextAct()
}

func TestACounterResetLosesNothing(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.setValue("web", 1000)
	b.run(b.spec(counts))
	require.EqualValues(t, 1000, only(t, b.next()).With["new"])
	b.nextAct()
	b.load.setValue("web", 1060)
	require.Empty(t, b.tick().Decisions)
	b.load.setValue("web", 30) // a pod was replaced: its counter begins at 0
	require.Empty(t, b.tick().Decisions, "60 before and 30 since")
	b.load.setValue("web", 45)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.nextAct()
	b.load.setValue("web", 144)
	require.Empty(t, b.tick().Decisions, "99 since the baseline")
}

func TestABaselineIsSetOnlyByAnAdmittedProposal(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.setValue("web", 150)
	b.run(b.spec(counts, func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"hook": 25 * time.Second} }))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.nextAct()
	b.load.setValue("web", 260)
	require.Equal(t, "guards.cooldown", only(t, b.tick()).By)
	b.load.setValue("web", 270)
	require.EqualValues(t, 120, only(t, b.tick()).With["new"], "the baseline is unchanged")
	b.load.setValue("web", 290)
	last := only(t, b.tick())
	require.Equal(t, engine.Admitted, last.Verdict, last.Detail)
	require.EqualValues(t, 140, last.With["new"])
	b.nextAct()
}

func TestANonNumberCantBeCounted(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.set("web", engine.Signal{State: engine.OK, Value: "many"})
	b.run(b.spec(counts))
	f := b.next()
	require.Empty(t, f.Decisions)
	require.Equal(t, 1, f.Signals[engine.Error])
}

// Values deleted from a sum are neither new nor counted again.
func TestASumThatFallsKeepsItsCount(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.setValue("web", 1000)
	sum := func(s *engine.Spec) { s.Sensors[0].Sum = true }
	b.run(b.spec(counts, sum))
	require.EqualValues(t, 1000, only(t, b.next()).With["new"])
	b.nextAct()
	b.load.setValue("web", 1060)
	require.Empty(t, b.tick().Decisions)
	b.load.setValue("web", 300) // a run was deleted
	require.Empty(t, b.tick().Decisions, "60 are new still")
	b.load.setValue("web", 345)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.nextAct()
	b.load.setValue("web", 100)
	b.restart()
	b.run(b.spec(counts, sum))
	require.Empty(t, b.next().Decisions, "it fell during the restart: nothing is new")
	b.load.setValue("web", 205)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.nextAct()
}

// An infinite total changes neither the baseline nor later counts.
func TestAnInfiniteTotalDoesNotChangeTheBaseline(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.setValue("web", 150)
	odd := &fakeSensor{values: map[string]engine.Signal{}}
	odd.setValue("web", math.Inf(1))
	b.run(b.spec(counts, func(s *engine.Spec) {
		s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "odd", Sensor: odd, Since: s.Sensors[0].Since})
	}))
	f := b.next()
	require.Equal(t, 1, f.Signals[engine.NaN])
	require.Equal(t, engine.Admitted, only(t, f).Verdict, only(t, f).Detail)
	b.nextAct()
	odd.setValue("web", 5)
	require.Equal(t, 2, b.tick().Signals[engine.OK])
}
