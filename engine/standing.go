package engine

// Standing summarizes the targets of a firing whose proposals are not carried out. It counts
// what is so now, whether or not the record has a new decision on it.
type Standing struct {
	// Refused are targets with a proposal that stays refused until a person acts.
	Refused TargetCount
	// Failed are targets with a proposal whose last act failed.
	Failed TargetCount
	// Held are targets with a proposal that waits: for a claim, a cooldown, a budget, an
	// approval, or the next attempt.
	Held TargetCount
}

// TargetCount counts targets, and has the first of them in the fleet's order.
type TargetCount struct {
	Targets   int
	First     TargetID
	Primitive string // the verb of the proposal
	Why       string
}

// Add counts a target. The first one is kept.
func (c *TargetCount) Add(id TargetID, primitive, why string) {
	if c.Targets++; c.Targets == 1 {
		c.First, c.Primitive, c.Why = id, primitive, why
	}
}
