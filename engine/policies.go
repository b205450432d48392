package engine

import (
	"context"
	"time"
)

// Policies is where the live revision of the policies is found.
type Policies interface {
	// Pin returns the live revision. One firing uses one revision throughout.
	Pin() Revision
	// Info says how the policies stand.
	Info(now time.Time) PolicyInfo
}

// Revision is one compiled set of policies. It is safe for concurrent use, for
// different documents.
type Revision interface {
	// ID is a hash of the content.
	ID() string
	// Reads says which parts of a document the strategies read, between them.
	Reads(strategies []string) Reads
	// Evaluate asks the strategies for proposals. One that fails is a Problem and
	// leaves the others alone. The proposals come in a fixed order (by strategy,
	// then content).
	Evaluate(ctx context.Context, strategies []string, doc *Document) Evaluation
	// Deny asks every guard of the policies about one proposal. Guards fail closed:
	// one that errs, times out, or reads a signal that is not ok is a denial too.
	Deny(ctx context.Context, doc *Document, p Proposal) []Denial
}

// Reads is the part of a document that a set of strategies reads.
type Reads struct {
	// Now is set where a strategy reads now_ns, or an age_ns; such a target is never skipped.
	Now     bool
	Trigger bool
	Target  bool
	Memory  bool
	Claims  bool
	// AllSignals is set where the signals read can't be told from the text.
	AllSignals bool
	Signals    []string
}

// Evaluation is what the strategies said about one document.
type Evaluation struct {
	Proposals []Proposal
	Problems  []Problem
	// Rules are the rules that fired, by strategy, as their METADATA titles them.
	Rules map[string][]string
}

// Problem is a strategy that could not be evaluated, or whose answer is not a
// proposal. Message names every mistake.
type Problem struct {
	Strategy string `json:"strategy"`
	Message  string `json:"message"`
}

// Denial is a guard of the policies that refused a proposal.
type Denial struct {
	Guard  string `json:"guard"`  // its package, without "scanflow.guards."
	Reason string `json:"reason"` // a key, or the error
}
