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

// Never 10: what a dry run notes is its own. It goes on from it after a restart, and from
// what the agent did in earnest since; the agent in earnest never sees it.
func TestADryRunsNotesAreItsOwn(t *testing.T) {
	b := newBench(t, noting)
	b.world.set("web", 1)
	start := func(mode engine.Mode) float64 {
		b.restart()
		b.run(b.spec(func(s *engine.Spec) { s.Mode, s.Strategies = mode, []string{"t.noting"} }))
		d := only(t, b.next())
		require.Equal(t, engine.Admitted, d.Verdict)
		b.settled()
		b.clock.Advance(time.Second)
		return d.With["n"].(float64)
	}
	require.EqualValues(t, 1, start(engine.Enforce))
	require.EqualValues(t, 2, start(engine.DryRun), "it decides as the real one would")
	require.EqualValues(t, 3, start(engine.DryRun))
	require.EqualValues(t, 2, start(engine.Enforce), "and leaves nothing behind")
	require.EqualValues(t, 3, start(engine.Enforce))
	require.EqualValues(t, 4, start(engine.DryRun), "from where the real one is by now")
	require.EqualValues(t, 5, start(engine.DryRun))
}

func TestADryRunsMarksAreItsOwn(t *testing.T) {
	b := newBench(t, counting)
	b.world.set("web", 1)
	start := func(mode engine.Mode, total float64) []engine.Decision {
		b.load.to("web", total)
		b.restart()
		b.run(b.spec(counts, func(s *engine.Spec) { s.Mode = mode }))
		f := b.next()
		if len(f.Decisions) > 0 {
			b.settled()
		}
		b.clock.Advance(time.Second)
		return f.Decisions
	}
	require.Len(t, start(engine.DryRun, 150), 1)
	require.Empty(t, start(engine.DryRun, 200), "50 since its mark")
	require.EqualValues(t, 210, start(engine.Enforce, 210)[0].With["new"], "nothing was done about any of them")
	require.Empty(t, start(engine.DryRun, 300), "90 since that of the agent in earnest")
	require.EqualValues(t, 110, start(engine.DryRun, 320)[0].With["new"])
	require.EqualValues(t, 120, start(engine.Enforce, 330)[0].With["new"])
}
