// Package loop runs agents in real time. An agent waits for its triggers, fetches the fleet
// and the samples, drives a turn (package turn), writes its record to the journal, and
// carries out the acts that the turn admitted. Manager runs all agents of a process.
//
// It calls the adapters through the interfaces of package engine, each with a deadline, and
// turns a panic of one into its error. It reads no other clock than the one it gets, and
// imports no OPA, no Prometheus and no Kubernetes.
//
// Start reading at agent.go (the life of one agent), then fire.go (one turn) and runner.go
// (the acts).
package loop
