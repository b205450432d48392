package engine

import "encoding/json"

// Verdict is the result of a proposal.
type Verdict string

const (
	Admitted Verdict = "admitted"
	Refused  Verdict = "refused"
	// Unchanged is the verdict on a proposal for the current state. Nothing is done.
	Unchanged Verdict = "unchanged"
	// Waiting is the verdict on a proposal that waits for the approval of a person.
	Waiting Verdict = "waiting"
	// NotPlanned is the verdict of a preview on a proposal that every guard admits, where
	// nothing can plan the act: whether it would change anything is not known.
	NotPlanned Verdict = "not planned here"
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
