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
	// Note replaces the strategy's note in the agent's memory; nil keeps the last one.
	Note any
	// Marks are set once the proposal is admitted: the baselines of these names become what
	// the sensors had sampled for this document.
	Marks []string
	// Hops counts the events that led here, each sent because of the one before, the
	// trigger's event included.
	Hops int
	// Written is the time at which the agent last applied this verb to this target, zero if
	// never. By it an actuator distinguishes a value that the agent may take over from one that
	// somebody wrote after the agent.
	Written time.Time
	// Identity names the change, the same for every attempt at one act. The engine sets it
	// before Plan.
	Identity string
}

// Evidence is a signal that a proposal relies on, in the state that it requires:
// OK for `"load"`, Empty for `"load:empty"`.
type Evidence struct {
	Signal string `json:"signal"`
	State  State  `json:"state"`
}

// String returns the form that a strategy writes.
func (e Evidence) String() string {
	if e.State == OK {
		return e.Signal
	}
	return e.Signal + ":" + string(e.State)
}
