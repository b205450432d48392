package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATurnTakesSoManyProposals(t *testing.T) {
	one, two, three := &slot{}, &slot{}, &slot{}
	var all []*candidate
	add := func(s *slot, n int) {
		for range n {
			all = append(all, &candidate{slot: s, decision: Decision{Verdict: Admitted}})
		}
	}
	add(one, ProposalsPerTurn-1)
	add(two, 3)
	add(three, 1)
	kept := withinTurn(all)
	require.Len(t, kept, ProposalsPerTurn+2, "a row for each target that has some over")
	require.Len(t, alive(kept), ProposalsPerTurn)
	require.Equal(t, "20003 proposals in one turn, and 20000 are taken: this one and 1 other of its target are over", kept[ProposalsPerTurn].decision.Detail)
	require.Equal(t, "20003 proposals in one turn, and 20000 are taken: this one and 0 others of its target are over", kept[ProposalsPerTurn+1].decision.Detail)
	require.Equal(t, "bounds", kept[ProposalsPerTurn].decision.By)
	require.Len(t, withinTurn(all[:ProposalsPerTurn]), ProposalsPerTurn)
}

func TestParallelRunsEachOnceAndSoManyAtOnce(t *testing.T) {
	for _, row := range []struct{ limit, n int }{{1, 5}, {4, 1000}, {16, 3}, {4, 0}} {
		at, most := make(chan struct{}, row.limit), make([]int, row.n)
		parallel(row.limit, row.n, func(i int) {
			select {
			case at <- struct{}{}:
			default:
				t.Error("more at once than the limit")
				return
			}
			most[i]++
			<-at
		})
		for i := range most {
			require.Equal(t, 1, most[i])
		}
	}
}
