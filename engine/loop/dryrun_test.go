package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const noting = `package scanflow.strategies.t.noting

propose contains {"primitive": "hook", "with": {"n": n}, "reason": "count", "because": [], "note": n} if {
	n := object.get(input.memory, ["t.noting", "note"], 0) + 1
}
`

// Never 10: the notes of a dry run are separate. The dry run continues from them after a
// restart, and from newer notes of the enforcing agent, which never sees those of the dry run.
func TestADryRunHasItsOwnNotes(t *testing.T) {
	b := newBench(t, noting)
	b.world.set("web", 1)
	start := func(mode engine.Mode) float64 {
		b.restart()
		b.run(b.spec(func(s *engine.Spec) { s.Mode, s.Strategies = mode, []string{"t.noting"} }))
		d := only(t, b.next())
		require.Equal(t, engine.Admitted, d.Verdict)
		b.nextAct()
		b.clock.Advance(time.Second)
		return d.With["n"].(float64)
	}
	require.EqualValues(t, 1, start(engine.Enforce))
	require.EqualValues(t, 2, start(engine.DryRun), "it decides as the enforcing agent would")
	require.EqualValues(t, 3, start(engine.DryRun))
	require.EqualValues(t, 2, start(engine.Enforce), "the dry run left no note")
	require.EqualValues(t, 3, start(engine.Enforce))
	require.EqualValues(t, 4, start(engine.DryRun), "it continues from the enforcing agent's newer note")
	require.EqualValues(t, 5, start(engine.DryRun))
}

func TestADryRunHasItsOwnBaselines(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	start := func(mode engine.Mode, total float64) []engine.Decision {
		b.load.setValue("web", total)
		b.restart()
		b.run(b.spec(counts, func(s *engine.Spec) { s.Mode = mode }))
		f := b.next()
		if len(f.Decisions) > 0 {
			b.nextAct()
		}
		b.clock.Advance(time.Second)
		return f.Decisions
	}
	require.Len(t, start(engine.DryRun, 150), 1)
	require.Empty(t, start(engine.DryRun, 200), "50 since its baseline")
	require.EqualValues(t, 210, start(engine.Enforce, 210)[0].With["new"], "the dry run set no baseline for the enforcing agent")
	require.Empty(t, start(engine.DryRun, 300), "90 since the baseline of the enforcing agent")
	require.EqualValues(t, 110, start(engine.DryRun, 320)[0].With["new"])
	require.EqualValues(t, 120, start(engine.Enforce, 330)[0].With["new"])
}
