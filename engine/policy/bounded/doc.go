// Package bounded limits OPA's built-in functions and the values that policies
// create. OPA can cancel an evaluation only between two steps: a call of a built-in
// that creates a huge number, text or collection runs to its end, or uses up the
// memory first. So each call is checked before it runs, by the size of its result or
// by the work that it needs. A call within the limits behaves exactly as in stock OPA.
//
// OPA's core can't be limited here: unification (`=`), the insertion of values into
// sets and objects, and the ordering of their keys. For those, the caller needs a
// deadline.
//
// Start reading at table.go, which has a rule for every built-in, and at limits.go.
// Install sets the limits for the whole process.
package bounded
