package turn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestTurnsOfAForkLeaveTheAgentAsItIs(t *testing.T) {
	sustained := func() *tenStrategies {
		out := newTenStrategies(t, 2, false)
		out.agent.Spec.Sensors[0].Sustained = &engine.SustainedSpec{Over: time.Minute}
		for range 5 {
			out.turn()
		}
		return out
	}
	forked, alone := sustained(), sustained()
	fork := *forked
	fork.agent, fork.turns = forked.agent.Fork(forked.agent.Spec.Sensors), 30
	for range 20 {
		fork.turn()
	}
	require.Equal(t, alone.turn().Evaluations, forked.turn().Evaluations)
	for id, want := range alone.agent.targets {
		got := forked.agent.targets[id]
		require.Equal(t, 6, got.doc.Signals[0].Sustained.Samples)
		require.Equal(t, want.doc.Input(), got.doc.Input())
		require.Equal(t, want.proposals, got.proposals)
		require.Equal(t, want.results, got.results)
		require.Equal(t, want.rules, got.rules)
	}
}
