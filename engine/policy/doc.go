// Package policy is the OPA side of Scanflow: it reads a folder or a bundle of
// Rego, compiles, checks and tests it beside the live one, swaps one pointer,
// and asks the live revision for proposals and denials.
//
// It never samples, never acts and never reads the clock for a decision: a
// document and a revision give the same answer always. Built-ins that reach out
// or that are not deterministic don't exist for its policies. A revision that
// does not compile, breaks a rule of the house or fails its own tests never
// replaces a good one.
//
// Start reading at store.go (how a revision comes to be live), then revision.go
// (what it answers) and trace.go (how the text tells what a rule reads).
package policy
