// Package bounded puts limits on OPA's built-in functions and on the values that
// policies make. OPA stops an evaluation between two steps only: one call of a
// built-in that makes a huge number, text or collection runs to its end, or takes all
// memory first. So each built-in is checked before it runs: by what it would give back,
// or by how much it would work. One that is within the limits gives exactly what stock
// OPA gives.
//
// What OPA's core does itself can't be bounded from here: unification (`=`), the
// insertion of values into sets and objects, and the ordering of their keys. A caller
// needs a deadline of its own for those.
//
// Start reading at table.go, which says of every built-in why it is harmless or what
// bounds it, and at limits.go. Install puts the limits in place, for the whole process.
package bounded
