// Package approval keeps the approvals that proposals wait for. Book is one agent's cache of
// them, with the times at which approved acts are rechecked. Service answers people: it
// lists approvals, records decisions, and ends the approvals of agents that are gone. What
// a turn does with approvals is in package turn.
//
// The durable form is engine.ApprovalStore. The package starts no goroutine.
package approval
