// Package workflowrun has what the actuators of `workflow.run` share: the claim, the deadline,
// the name of a run, and the event that is published at its end. It runs nothing. Start reading
// at end.go.
package workflowrun
