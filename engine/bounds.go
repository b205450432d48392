package engine

// The names of checks (Decision.By) that refuse a proposal whose verb the agent may not
// use, or that is over a bound: such a verb may be any word. ByShape refuses parameters with
// mistakes.
const (
	ByPrimitives = "primitives"
	ByBounds     = "bounds"
	ByShape      = "shape"
)

// The bounds of what a strategy may propose. Proposals over them are refused under
// "bounds", with one row for each target that has the number of proposals.
const (
	// ProposalsPerTarget is for one strategy, one target and one turn.
	ProposalsPerTarget = 64
	// ProposalsPerTurn is for one agent and one turn, over all targets and strategies.
	ProposalsPerTurn = 20_000
)
