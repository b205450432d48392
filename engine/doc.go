// Package engine is the vocabulary of Scanflow: the types of an agent, its signals, its
// document, its proposals and its records; the interfaces that adapters implement (Sensor,
// Actuator, Fleet, Orchestrator, Policies, Journal, Deliverer, Observer, Clock); and the pure
// rules on these types, such as the identity of an act.
//
// What runs is in its subpackages: turn decides, loop drives turns and carries out acts,
// claim, memory, approval and queue keep the books between turns. Package engine imports none
// of them, and no OPA, no Prometheus and no Kubernetes. It reads no clock and draws no random
// number: both are passed in, so that a decision can be replayed.
//
// Start reading at spec.go (an agent), document.go (the input of a decision), change.go (an
// act), then journal.go (what is recorded).
package engine
