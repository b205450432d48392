package engine

import (
	"context"
	"encoding/json"
	"time"
)

// Journal is the durable record of what was sensed, decided and done. Calls are safe for
// concurrent use; an implementation may batch them. An error means that nothing was
// written, and the engine does not act. It is the sum of what its callers depend on.
type Journal interface {
	TurnRecorder
	IntentStore
	ReadingStore
	Queue
	ApprovalStore
}

// TurnRecorder records turns.
type TurnRecorder interface {
	// NextFiring returns an id that no firing of this journal ever had or will have again,
	// across restarts and crashes too.
	NextFiring(ctx context.Context) (string, error)
	// RecordFiring writes a firing, its decisions, intents, notes, approvals and envelopes,
	// and acknowledges the event that it handled, in one transaction, durably, before any
	// act. A quiet firing costs one row.
	RecordFiring(ctx context.Context, f FiringRecord) error
}

// IntentStore keeps intents, from their admission to their conclusion.
type IntentStore interface {
	// Began records that an act was applied and has not ended. It may be written later.
	Began(ctx context.Context, identity string) error
	// Conclude writes the outcome of an intent.
	Conclude(ctx context.Context, c Conclusion) error
	// Open returns the intents of an agent without a conclusion.
	Open(ctx context.Context, agent string) ([]Intent, error)
	// Remember returns the acts of an agent: for each target, strategy and verb the last
	// one, and every act since the given time; with the last note of each target and strategy.
	Remember(ctx context.Context, agent string, since time.Time) (Recollection, error)
}

// ReadingStore keeps the last good values of an agent's sensors across restarts.
type ReadingStore interface {
	SaveReadings(ctx context.Context, agent string, readings []byte) error
	// LoadReadings returns what SaveReadings saved, nil if nothing was saved.
	LoadReadings(ctx context.Context, agent string) ([]byte, error)
}

// PolicyInfo is the state of the policies at a firing.
type PolicyInfo struct {
	// Age is the time since the revision went live.
	Age time.Duration `json:"age_ns"`
	// Refused is set where a later change was refused, and an older revision decides.
	Refused bool `json:"refused"`
	// Successes and Failures count the changes since the start of the process.
	Successes int `json:"successes"`
	Failures  int `json:"failures"`
}

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
	// Targets is the size of the fleet. Evaluated counts the targets whose strategies ran;
	// the others were unchanged in what the strategies read.
	Targets   int `json:"targets"`
	Evaluated int `json:"evaluated"`
	// Signals counts the fleet's signals by state.
	Signals map[State]int `json:"signals,omitempty"`
	// Unhealthy lists the sensors with signals that are not OK, in the agent's order.
	Unhealthy []SignalHealth `json:"-"`
	// Problems lists what went wrong, for a person: a fleet that could not be listed, a
	// sensor or a strategy that failed. Each appears once, not once for each target.
	Problems  []string   `json:"problems,omitempty"`
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

// Verdict is the result of a proposal.
type Verdict string

const (
	Admitted Verdict = "admitted"
	Refused  Verdict = "refused"
	// Unchanged is the verdict on a proposal for the current state. Nothing is done.
	Unchanged Verdict = "unchanged"
	// Waiting is the verdict on a proposal that waits for the approval of a person.
	Waiting Verdict = "waiting"
)

// Decision is one proposal and its verdict, with the document that it rests on.
type Decision struct {
	Target    TargetID       `json:"target"`
	Strategy  string         `json:"strategy"`
	Primitive string         `json:"primitive"`
	With      map[string]any `json:"with,omitempty"`
	Priority  int            `json:"priority"`
	Reason    string         `json:"reason"`
	Because   []string       `json:"because"`
	Rules     []string       `json:"rules,omitempty"`
	Verdict   Verdict        `json:"verdict"`
	// By names the check that refused or clamped it: "arbiter", "signals", "primitives",
	// "shape", "guards.replicas", "guards.cooldown", "backoff", "policy:PACKAGE", ...
	By string `json:"by,omitempty"`
	// Detail explains the verdict to a person, in a sentence.
	Detail string `json:"detail,omitempty"`
	// HeldBy is the claim that kept the proposal from its own, where By is "claims" and
	// another act holds one.
	HeldBy *Claim `json:"-"`
	// Guard is the package of the Rego guard that denied it, without "scanflow.guards."; ""
	// where none did.
	Guard string `json:"-"`
	// Approval is the approval that the verdict rests on, nil where there is none.
	Approval *Answer `json:"approval,omitempty"`
	// Proposed holds the parameters as proposed where a guard clamped them.
	Proposed map[string]any `json:"proposed,omitempty"`
	Identity string         `json:"identity,omitempty"`
	DryRun   bool           `json:"dry_run,omitempty"`
	// Document is the input as JSON. The journal keeps equal documents once.
	Document json.RawMessage `json:"document,omitempty"`
}

// Intent is an admitted change whose act is about to begin.
type Intent struct {
	Change
	Firing    string
	Claim     string
	Direction Direction
	At        time.Time
	DryRun    bool
	// Once is set where no strategy proposes the act again if it is lost: the event or the
	// approval that caused it is used up.
	Once bool
	// Begun reports whether the act was applied, as recorded by Began.
	Begun bool
}

// Conclusion is the outcome of an intent.
type Conclusion struct {
	Identity string
	Outcome  Outcome
	At       time.Time
}

// Act is an intent with its outcome.
type Act struct {
	Intent
	Outcome Outcome // Status Running while it has no conclusion
	EndedAt time.Time
}

// Recollection is an agent's memory as the journal keeps it.
type Recollection struct {
	Acts  []Act // oldest first
	Notes []Note
}
