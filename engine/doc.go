// Package engine has the contracts of Scanflow: the types of the design (Proposal, Change,
// Intent, Approval, Event, ...), the interfaces that adapters implement (Sensor, Actuator,
// Policies, Journal, Fleet, Clock), and pure rules, such as bounds and identities.
//
// It runs nothing: package turn makes one decision, and package loop drives turns and acts.
// It starts no goroutine, reads the time from a Clock only, and imports no OPA, no Prometheus,
// no Kubernetes and no package of this module but jsonvalue.
//
// Start reading at spec.go (an agent), proposal.go and change.go (an act), and journal.go
// (what is recorded). docs/architecture.md has the way of a decision.
package engine
