package turn

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// arbitrate leaves one owner to each claim of a target: the highest priority, and among
// equal ones the first strategy by name. The losers are refused, with the winner's name. A
// proposal that was refused does not take part.
func arbitrate(candidates []*candidate) {
	order := slices.Clone(candidates)
	slices.SortStableFunc(order, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Strategy, b.Strategy), cmp.Compare(jsonvalue.Canonical(a.With), jsonvalue.Canonical(b.With)))
	})
	owner := map[string]*candidate{}
	for _, c := range order {
		if !c.live() || c.claim == "" {
			continue
		}
		won, taken := owner[c.claim]
		if !taken {
			owner[c.claim] = c
			continue
		}
		c.refuse(byArbiter, "%s goes to %s, priority %d against %d", c.claim, won.Strategy, won.Priority, c.Priority)
	}
}

// withinTarget keeps the first proposals of each strategy for a target. Of a strategy with
// too many it keeps the first over the bound too, to be refused: over has their number, by
// the index of that one.
func withinTarget(proposals []engine.Proposal) (kept []engine.Proposal, over map[int]int) {
	if len(proposals) <= engine.ProposalsPerTarget {
		return proposals, nil
	}
	counts, last := map[string]int{}, map[string]int{}
	for _, p := range proposals {
		if counts[p.Strategy]++; counts[p.Strategy] <= engine.ProposalsPerTarget+1 {
			last[p.Strategy] = len(kept)
			kept = append(kept, p)
		}
	}
	over = map[int]int{}
	for strategy, n := range counts {
		if n > engine.ProposalsPerTarget {
			over[last[strategy]] = n
		}
	}
	return kept, over
}

// withinTurn refuses what is over the bound of a turn: the first proposal of a target with
// a row, and its others without one. Targets that are earlier in the fleet's order go first.
func withinTurn(candidates []*candidate) []*candidate {
	if len(candidates) <= engine.ProposalsPerTurn {
		return candidates
	}
	kept := candidates[:engine.ProposalsPerTurn:engine.ProposalsPerTurn]
	perTarget := map[*target]int{}
	for _, c := range candidates[engine.ProposalsPerTurn:] {
		perTarget[c.on]++
	}
	for _, c := range candidates[engine.ProposalsPerTurn:] {
		if n := perTarget[c.on]; n > 0 {
			perTarget[c.on] = 0
			c.refuse(engine.ByBounds, "%d proposals in one turn, and %d are taken: this one and %s of its target are over", len(candidates), engine.ProposalsPerTurn, others(n-1))
			kept = append(kept, c)
		}
	}
	return kept
}

func others(n int) string {
	if n == 1 {
		return "1 other"
	}
	return fmt.Sprintf("%d others", n)
}
