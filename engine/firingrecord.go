package engine

import "time"

// FiringRecord is the record of one turn of an agent.
type FiringRecord struct {
	ID       string        `json:"id"`
	Agent    string        `json:"agent"`
	Mode     Mode          `json:"-"` // the agent's
	At       time.Time     `json:"at"`
	Trigger  TriggerInfo   `json:"trigger"`
	Revision string        `json:"revision"`
	Policy   PolicyInfo    `json:"policy"`
	Took     time.Duration `json:"took_ns"`
	// Lag is the time from when the trigger was due to the start of the firing.
	Lag time.Duration `json:"lag_ns"`
	// Targets is the size of the fleet. Evaluated counts the targets of which a strategy ran,
	// Evaluations the strategies that ran, on each target: the others would have read what
	// they read at their last evaluation.
	Targets     int `json:"targets"`
	Evaluated   int `json:"evaluated"`
	Evaluations int `json:"evaluations"`
	// Signals counts the fleet's signals by state.
	Signals map[State]int `json:"signals,omitempty"`
	// BySignal counts the fleet's signals by name and state.
	BySignal map[string]map[State]int `json:"-"`
	// Faults lists the signals of single targets that stopped being OK since the firing before, or
	// changed their state, and those that are OK again. Those of a sensor that failed for all
	// targets are in Problems.
	Faults []SignalFault `json:"faults,omitempty"`
	// MoreFaults is how many there were beyond those in Faults.
	MoreFaults int `json:"more_faults,omitempty"`
	// Unhealthy lists the sensors with signals that are not OK, in the agent's order.
	Unhealthy []SignalHealth `json:"-"`
	// Problems lists what went wrong, for a person: a fleet that could not be listed, a
	// sensor or a strategy that failed. Each appears once, not once for each target.
	Problems []string `json:"problems,omitempty"`
	// Blocked says why nothing could be decided or done in this firing; "" where it could.
	Blocked string `json:"-"`
	// MissingRights are the rights that a list, a sensor or a plan lacked, each once.
	MissingRights []RightError `json:"-"`
	// Standing summarizes the proposals that are not carried out; nil where the firing did not
	// decide on all targets.
	Standing  *Standing  `json:"-"`
	Decisions []Decision `json:"-"`
	// Intents are the acts that the firing starts.
	Intents []Intent `json:"-"`
	Notes   []Note   `json:"-"`
	// Approvals are the changes of approvals that the firing makes.
	Approvals []ApprovalChange `json:"-"`
	// Deferred is set where a guard refused what was proposed for the trigger's event: the
	// event is not acknowledged, and continues as this says. Nil acknowledges it.
	Deferred *Disposition `json:"-"`
	// Envelopes are events that are enqueued with the firing: the notices of new approvals.
	// They are never refused for lack of room.
	Envelopes []Envelope `json:"-"`
}
