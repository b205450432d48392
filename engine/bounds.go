package engine

import "fmt"

// Who refuses a proposal whose verb is no verb of the agent, or which is over a bound:
// that verb may be any word.
const (
	ByPrimitives = "primitives"
	ByBounds     = "bounds"
)

// The bounds of what a strategy may propose. What is over them is refused, under
// "bounds", with one row for each target that says how many there are.
const (
	// ProposalsPerTarget is for one strategy, one target and one turn.
	ProposalsPerTarget = 64
	// ProposalsPerTurn is for one agent and one turn, over all targets and strategies.
	ProposalsPerTurn = 20_000
	// becauseMost is how many signals of one proposal a decision names.
	becauseMost = 64
)

// withinTarget keeps the first proposals of each strategy, and returns how many of its
// there are where they are too many: the first one over the bound is kept, to be refused.
func withinTarget(proposals []Proposal) (kept []Proposal, over map[int]int) {
	if len(proposals) <= ProposalsPerTarget {
		return proposals, nil
	}
	counts, last := map[string]int{}, map[string]int{}
	for _, p := range proposals {
		if counts[p.Strategy]++; counts[p.Strategy] <= ProposalsPerTarget+1 {
			last[p.Strategy] = len(kept)
			kept = append(kept, p)
		}
	}
	over = map[int]int{}
	for strategy, n := range counts {
		if n > ProposalsPerTarget {
			over[last[strategy]] = n
		}
	}
	return kept, over
}

// withinTurn refuses what is over the bound of a turn: the target's first proposal with
// a row, and the others without one. Those of earlier targets in the fleet's order go first.
func withinTurn(candidates []*candidate) []*candidate {
	if len(candidates) <= ProposalsPerTurn {
		return candidates
	}
	kept := candidates[:ProposalsPerTurn:ProposalsPerTurn]
	perTarget := map[*slot]int{}
	for _, c := range candidates[ProposalsPerTurn:] {
		perTarget[c.slot]++
	}
	for _, c := range candidates[ProposalsPerTurn:] {
		if n := perTarget[c.slot]; n > 0 {
			perTarget[c.slot] = 0
			c.refuse(ByBounds, "%d proposals in one turn, and %d are taken: this one and %s of its target are over", len(candidates), ProposalsPerTurn, others(n-1))
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
