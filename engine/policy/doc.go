// Package policy is the OPA side of Scanflow: it compiles, checks and tests a source of
// policies beside the live revision, swaps one pointer, and evaluates the live revision
// for proposals and denials.
//
// It never samples, never acts and never reads the clock for a decision: the same
// document and revision always give the same answer. Policies can't call built-ins
// that use the network or are not deterministic. A revision that does not compile,
// breaks a rule for strategies or guards, or fails its own tests never replaces a
// good one.
//
// Package source reads the policies, and package bounded limits OPA's built-ins. Start
// reading at store.go (how a revision becomes live), then revision.go (how it is
// evaluated) and reads.go (how the reads of a rule are found).
package policy
