package engine

import (
	"context"
	"time"
)

// Policies provides the live revision of the policies.
type Policies interface {
	// Pin returns the live revision. One firing uses one revision throughout.
	Pin() Revision
	// Info returns the state of the policies.
	Info(now time.Time) PolicyInfo
}

// Revision is one compiled set of policies. It is safe for concurrent use, for
// different documents.
type Revision interface {
	// ID is a hash of the content.
	ID() string
	// Reads returns the parts of a document that the strategies read, between them.
	Reads(strategies []string) Reads
	// Evaluate runs the strategies. One that fails becomes a Problem and does not affect
	// the others. The proposals have a fixed order (by strategy, then content).
	Evaluate(ctx context.Context, strategies []string, doc *Document) Evaluation
	// EvaluateSome runs some of the strategies, or all where that costs less, and returns the
	// names of those that ran.
	EvaluateSome(ctx context.Context, strategies, some []string, doc *Document) (Evaluation, []string)
	// Review runs the guards of the policies that bind a proposal. Guards fail closed: one
	// that fails, times out, or reads a signal that is not ok denies.
	Review(ctx context.Context, doc *Document, p Proposal) Review
}

// Evaluation is the result of the strategies on one document.
type Evaluation struct {
	Proposals []Proposal
	Problems  []Problem
	// Rules are the rules that fired, by strategy, as their METADATA titles them.
	Rules map[string][]string
	// Remembered are the values of the rules remember, by strategy, where they are defined.
	Remembered map[string]any
}

// Problem is a strategy that failed, or whose result is not a proposal. Message names
// every mistake.
type Problem struct {
	Strategy string `json:"strategy"`
	Message  string `json:"message"`
}

// Review is the result of the guards of the policies on one proposal. Where guards clamp it,
// they deny by its clamped parameters.
type Review struct {
	Denials []Denial
	// Clamps are the parameters that were clamped, by path.
	Clamps []Clamp
	// With are all parameters after the clamps; nil where nothing was clamped.
	With map[string]any
}

// Clamp is a parameter that guards of the policies changed.
type Clamp struct {
	Path              []string // in `with`
	Proposed, Clamped float64
	// Bound is "min 3" or "max 9". Guard set it, for Reason.
	Bound, Guard, Reason string
}

// Denial is the refusal of a proposal by a guard of the policies.
type Denial struct {
	Guard  string `json:"guard"`  // its package, without "scanflow.guards."
	Reason string `json:"reason"` // a key, or the error
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
