package turn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestATurnTakesSoManyProposals(t *testing.T) {
	one, two, three := &target{}, &target{}, &target{}
	var all []*candidate
	add := func(s *target, n int) {
		for range n {
			all = append(all, &candidate{on: s, decision: engine.Decision{Verdict: engine.Admitted}})
		}
	}
	add(one, engine.ProposalsPerTurn-1)
	add(two, 3)
	add(three, 1)
	kept := withinTurn(all)
	require.Len(t, kept, engine.ProposalsPerTurn+2, "a row for each target that has some over")
	require.Len(t, live(kept), engine.ProposalsPerTurn)
	require.Equal(t, "20003 proposals in one turn, and 20000 are taken: this one and 1 other of its target are over", kept[engine.ProposalsPerTurn].decision.Detail)
	require.Equal(t, "20003 proposals in one turn, and 20000 are taken: this one and 0 others of its target are over", kept[engine.ProposalsPerTurn+1].decision.Detail)
	require.Equal(t, "bounds", kept[engine.ProposalsPerTurn].decision.By)
	require.Len(t, withinTurn(all[:engine.ProposalsPerTurn]), engine.ProposalsPerTurn)
}
