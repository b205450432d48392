package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// streak counts the looks in a row with a load above 5, and acts on three.
const streak = `package scanflow.strategies.t.streak

propose contains {"primitive": "hook", "with": {"n": n}, "reason": "busy", "because": []} if {
	n := input.memory["t.streak"].remembered
	n >= 3
}

remember := min([n + 1, 5]) if {
	input.signals.load.value > 5
	n := object.get(input.memory, ["t.streak", "remembered"], 0)
}

remember := 0 if input.signals.load.value <= 5
`

func streaks(s *engine.Spec) { s.Strategies = []string{"t.streak"} }

// A strategy remembers without proposing anything, also over a restart, and a look without the
// signal changes nothing.
func TestAStreakIsCountedWithoutAnAct(t *testing.T) {
	b := newBench(t, streak)
	b.world.set("web", 1)
	b.load.setValue("web", 10.0)
	b.run(b.spec(streaks))
	remembered := func(f engine.FiringRecord) (out []any) {
		for _, n := range f.Notes {
			require.True(t, n.Remembered)
			out = append(out, n.Value)
		}
		return out
	}
	f := b.next()
	require.Empty(t, f.Decisions)
	require.Equal(t, []any{1.0}, remembered(f))
	f = b.tick()
	require.Equal(t, 1, f.Evaluations, "what it remembers is an input of its own")
	require.Equal(t, []any{2.0}, remembered(f))
	b.load.set("web", engine.Signal{State: engine.Empty})
	require.Empty(t, remembered(b.tick()), "undefined: the last value stays")
	b.load.setValue("web", 10.0)
	b.restart()
	b.run(b.spec(streaks))
	f = b.next()
	require.Empty(t, f.Decisions)
	require.Equal(t, []any{3.0}, remembered(f), "the journal had 2")
	f = b.tick()
	require.Equal(t, map[string]any{"n": 3.0}, only(t, f).With)
	require.Contains(t, string(f.Decisions[0].Document), `"remembered":3`)
	b.nextAct()
	require.Equal(t, []any{5.0}, remembered(b.tick()))
	b.nextAct()
	require.Empty(t, remembered(b.tick()), "5 again")
	b.nextAct()
	b.load.setValue("web", 1.0)
	require.Equal(t, []any{0.0}, remembered(b.tick()))
}

func TestADryRunRemembersOnItsOwn(t *testing.T) {
	b := newBench(t, streak)
	b.world.set("web", 1)
	b.load.setValue("web", 10.0)
	start := func(mode engine.Mode) any {
		b.restart()
		b.run(b.spec(streaks, func(s *engine.Spec) { s.Mode = mode }))
		f := b.next()
		b.clock.Advance(time.Second)
		require.Len(t, f.Notes, 1)
		return f.Notes[0].Value
	}
	require.EqualValues(t, 1, start(engine.Enforce))
	require.EqualValues(t, 2, start(engine.DryRun), "it continues from the enforcing agent's")
	require.EqualValues(t, 3, start(engine.DryRun))
	require.EqualValues(t, 2, start(engine.Enforce), "the dry run left nothing")
	require.EqualValues(t, 3, start(engine.DryRun), "from the enforcing agent's newer one")
}
