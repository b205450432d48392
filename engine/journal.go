package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Journal is the durable record of what was sensed, decided and done. Calls are
// safe for concurrent use; the implementation batches them. An error means that
// nothing was written, and the engine does not act.
type Journal interface {
	// NextFiring returns an id that no firing of this journal ever had, or will
	// have again, across restarts and crashes too.
	NextFiring(ctx context.Context) (string, error)
	// RecordFiring writes a firing, its decisions, intents and notes, and marks the
	// event that it handled as handled: durably, all or nothing, before any act. A
	// quiet firing costs one row.
	RecordFiring(ctx context.Context, f FiringRecord) error

	// Began notes that an act was applied, which has not come to its end. It may be
	// written some time later.
	Began(ctx context.Context, identity string) error
	// Conclude writes what became of an intent.
	Conclude(ctx context.Context, c Conclusion) error
	// Open returns the intents of an agent that have no conclusion yet.
	Open(ctx context.Context, agent string) ([]Intent, error)
	// Remember returns what an agent did: for each target, strategy and verb the
	// last act, and every act since the given time; with the last note of each
	// target and strategy.
	Remember(ctx context.Context, agent string, since time.Time) (Recollection, error)

	// SaveReadings keeps the last good values of an agent's sensors; LoadReadings
	// returns what was kept, nil if nothing was.
	SaveReadings(ctx context.Context, agent string, readings []byte) error
	LoadReadings(ctx context.Context, agent string) ([]byte, error)

	Mail
	Approvals
}

// PolicyInfo is how the policies stood at a firing.
type PolicyInfo struct {
	// Age is since the revision went live.
	Age time.Duration `json:"age_ns"`
	// Refused says that a later change was refused, and an older revision decides.
	Refused bool `json:"refused"`
	// Successes and Failures count the changes since the start of the process.
	Successes int `json:"successes"`
	Failures  int `json:"failures"`
}

// FiringRecord is one turn of an agent's loop.
type FiringRecord struct {
	ID       string        `json:"id"`
	Agent    string        `json:"agent"`
	Mode     Mode          `json:"-"` // the agent's
	At       time.Time     `json:"at"`
	Trigger  TriggerInfo   `json:"trigger"`
	Revision string        `json:"revision"`
	Policy   PolicyInfo    `json:"policy"`
	Took     time.Duration `json:"took_ns"`
	// Lag is how late the firing began after its trigger was due.
	Lag time.Duration `json:"lag_ns"`
	// Targets is the size of the fleet; Evaluated those whose strategies were run,
	// the others being unchanged in what those read.
	Targets   int `json:"targets"`
	Evaluated int `json:"evaluated"`
	// Signals counts the fleet's signals by state.
	Signals map[State]int `json:"signals,omitempty"`
	// Unfit are the sensors with signals that are not OK, in the agent's order.
	Unfit []Unfit `json:"-"`
	// Problems are what went wrong, for a person: a fleet that could not be listed,
	// a sensor that failed, a strategy that erred. Each once, not once a target.
	Problems  []string   `json:"problems,omitempty"`
	Decisions []Decision `json:"-"`
	// Intents are the acts that the firing sets going.
	Intents []Intent `json:"-"`
	Notes   []Note   `json:"-"`
	// Approvals are what the firing changes of the questions to persons.
	Approvals []ApprovalChange `json:"-"`
	// Held says how the trigger's event goes on where it is not handled with this firing:
	// a guard refused what was proposed for it. Nil marks it as handled.
	Held *Holding `json:"-"`
	// Postings are events that come with the firing: the notices that somebody is asked.
	// They are never refused for want of room.
	Postings []Posting `json:"-"`
}

// Verdict is what became of a proposal.
type Verdict string

const (
	Admitted Verdict = "admitted"
	Refused  Verdict = "refused"
	// Unchanged is a proposal for what the world already is. Nothing is done.
	Unchanged Verdict = "unchanged"
	// Waiting is a proposal that a person was asked about.
	Waiting Verdict = "waiting"
)

// Decision is one proposal and what became of it, with the document it rests on.
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
	// By is who refused or clamped it: "arbiter", "signals", "primitives", "shape",
	// "guards.replicas", "guards.cooldown", "backoff", "policy:PACKAGE", ...
	By string `json:"by,omitempty"`
	// Detail is the sentence that says why, for a person.
	Detail string `json:"detail,omitempty"`
	// Approval is the question to a person that the verdict rests on, nil where there is none.
	Approval *Answer `json:"approval,omitempty"`
	// Proposed holds the parameters as proposed where a guard clamped them.
	Proposed map[string]any `json:"proposed,omitempty"`
	Identity string         `json:"identity,omitempty"`
	DryRun   bool           `json:"dry_run,omitempty"`
	// Document is the input as JSON. The journal keeps equal ones once.
	Document json.RawMessage `json:"document,omitempty"`
}

// byPolicy reports whether a guard in Rego refused it.
func (d *Decision) byPolicy() bool { return strings.HasPrefix(d.By, "policy:") }

// gist is equal for decisions that say the same: a repeated one is written once. What a
// guard in Rego says is part of it, as one that is broken denies for another reason than
// it does when it is not. The sentences of the guards in Go count acts and name times, and
// change though nothing does.
func (d *Decision) gist() string {
	why := ""
	if d.byPolicy() {
		why = d.Detail
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", d.Strategy, d.Primitive, canonical(d.With), d.Reason, d.Verdict, d.By, why)
}

// Note is what a strategy left for its next turn. It is kept once the proposal
// that carried it was admitted.
type Note struct {
	Target   TargetID
	Strategy string
	Value    any
}

// Intent is an act about to begin.
type Intent struct {
	Identity  string
	Firing    string
	Agent     string
	Target    TargetID
	Strategy  string
	Primitive string
	With      map[string]any
	Claim     string
	Direction Direction
	At        time.Time
	DryRun    bool
	// Once says that nobody proposes it again if it is lost: what set it going, an event
	// or a person's answer, is spent.
	Once bool
	// Begun says that it was applied: what Began noted.
	Begun  bool
	Change Change
}

// Conclusion is what became of an intent.
type Conclusion struct {
	Identity string
	Outcome  Outcome
	At       time.Time
}

// Act is an intent with its outcome, as the journal remembers it.
type Act struct {
	Intent
	Outcome Outcome // Status Running while it has no conclusion
	EndedAt time.Time
}

// Recollection is an agent's memory, read back after a start.
type Recollection struct {
	Acts  []Act // oldest first
	Notes []Note
}
