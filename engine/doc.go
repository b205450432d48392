// Package engine is the loop of a Scanflow agent: a firing samples a snapshot,
// builds a document for each target, asks the policies for proposals, settles
// who may write what, bounds it, writes the intent down, acts, and writes down
// what became of it.
//
// It knows no OPA, no Prometheus and no Kubernetes: those are reached through
// the interfaces of this package (Sensor, Actuator, Policies, Journal, Fleet),
// which its subpackages and the packages sensors and actuators implement. It
// never reads the wall clock and never draws a random number but through the
// Clock and the seed that it is given, so that a decision can be replayed.
//
// Start reading at agent.go (one agent's life), then firing.go (one turn).
package engine
