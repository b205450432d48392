package loop_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// counting asks for a check once more than 99 have come since the last one.
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
func TestDefect8MarksSurviveARestart(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.to("web", 90)
	b.run(b.spec(counts))
	require.Empty(t, b.next().Decisions, "90 since ever")
	b.load.to("web", 130)
	require.EqualValues(t, 130, only(t, b.tick()).With["new"])
	b.settled()
	require.Empty(t, b.tick().Decisions, "none since the mark")

	b.load.to("web", 200)
	b.restart()
	b.run(b.spec(counts))
	require.Empty(t, b.next().Decisions, "70 since the mark, though this process never saw it set")
	b.load.to("web", 230)
	require.EqualValues(t, 100, only(t, b.tick()).With["new"])
	b.settled()
}

func TestATotalThatBeginsAnewLosesNothing(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.to("web", 1000)
	b.run(b.spec(counts))
	require.EqualValues(t, 1000, only(t, b.next()).With["new"])
	b.settled()
	b.load.to("web", 1060)
	require.Empty(t, b.tick().Decisions)
	b.load.to("web", 30) // a pod was replaced: its counter begins at 0
	require.Empty(t, b.tick().Decisions, "60 before and 30 since")
	b.load.to("web", 45)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.settled()
	b.load.to("web", 144)
	require.Empty(t, b.tick().Decisions, "99 since the mark")
}

func TestAMarkIsSetOnlyWhereTheProposalIsAdmitted(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.to("web", 150)
	b.run(b.spec(counts, func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"hook": 25 * time.Second} }))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.settled()
	b.load.to("web", 260)
	require.Equal(t, "guards.cooldown", only(t, b.tick()).By)
	b.load.to("web", 270)
	require.EqualValues(t, 120, only(t, b.tick()).With["new"], "it counts on")
	b.load.to("web", 290)
	last := only(t, b.tick())
	require.Equal(t, engine.Admitted, last.Verdict, last.Detail)
	require.EqualValues(t, 140, last.With["new"])
	b.settled()
}

func TestWhatIsNoNumberCantBeCounted(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.set("web", engine.Signal{State: engine.OK, Value: "many"})
	b.run(b.spec(counts))
	f := b.next()
	require.Empty(t, f.Decisions)
	require.Equal(t, 1, f.Signals[engine.Error])
}

// What is deleted of a sum is neither new nor counted again.
func TestASumThatFallsCountsOn(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.to("web", 1000)
	sum := func(s *engine.Spec) { s.Sensors[0].Sum = true }
	b.run(b.spec(counts, sum))
	require.EqualValues(t, 1000, only(t, b.next()).With["new"])
	b.settled()
	b.load.to("web", 1060)
	require.Empty(t, b.tick().Decisions)
	b.load.to("web", 300) // a run was deleted
	require.Empty(t, b.tick().Decisions, "60 are new still")
	b.load.to("web", 345)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.settled()
	b.load.to("web", 100)
	b.restart()
	b.run(b.spec(counts, sum))
	require.Empty(t, b.next().Decisions, "it fell while nobody looked: nothing is new")
	b.load.to("web", 205)
	require.EqualValues(t, 105, only(t, b.tick()).With["new"])
	b.settled()
}

// A total that is no number spoils no mark, nor what is counted after it.
func TestATotalThatIsNoNumberSpoilsNoMark(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	b.load.to("web", 150)
	odd := &dial{values: map[string]engine.Signal{}}
	odd.to("web", math.Inf(1))
	b.run(b.spec(counts, func(s *engine.Spec) {
		s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "odd", Sensor: odd, Since: s.Sensors[0].Since})
	}))
	f := b.next()
	require.Equal(t, 1, f.Signals[engine.NaN])
	require.Equal(t, engine.Admitted, only(t, f).Verdict, only(t, f).Detail)
	b.settled()
	odd.to("web", 5)
	require.Equal(t, 2, b.tick().Signals[engine.OK])
}
