package engine

import "time"

// Proposal is one primitive that a strategy wants, on one target.
type Proposal struct {
	Agent    string // namespace/name
	Target   Target
	Strategy string
	// Primitive is the verb; With its parameters, as JSON values.
	Primitive string
	With      map[string]any
	// Priority decides between two proposals for one claim: the higher wins.
	Priority int
	// Reason is a short key; the sentence is put together in Go.
	Reason  string
	Because []Evidence
	// Note is kept in the agent's memory for the strategy's next turn; nil leaves the last one.
	Note any
	// Marks are the marks that are set once the proposal is admitted: sensors that count
	// from them begin anew, at what they had sampled for this document.
	Marks []string
	// Hops is how many events led here, one because of the other, the one that fired
	// among them; 0 where none did.
	Hops int
	// Written is when the agent last did this verb to this target, the zero time if it
	// never did: an actuator tells by it whether a value is the author's own, to be
	// taken over, or somebody's who wrote after us.
	Written time.Time
	// Identity is set by the engine before Plan: the change's name, the same for
	// every attempt at one act.
	Identity string
}

// Evidence is a signal that a proposal relies on, in the state that it means:
// OK for `"load"`, Empty for `"load:empty"`.
type Evidence struct {
	Signal string `json:"signal"`
	State  State  `json:"state"`
}

// String is the form that a strategy writes.
func (e Evidence) String() string {
	if e.State == OK {
		return e.Signal
	}
	return e.Signal + ":" + string(e.State)
}
