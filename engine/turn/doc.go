// Package turn is one firing of an agent as a chain of values:
//
//	Input      what a driver fetched: the fleet, the samples, the trigger, the revision, the time, an id
//	  | Agent.Observe
//	Observation   each target's document
//	  | Evaluate     the strategies propose; shape, evidence, arbitration, guards in Rego, static guards
//	Evaluation    the proposals that want a plan
//	  | Plans, then the driver calls the actuators' Plan
//	  | Admit        back-off, cooldown, budget, blast radius, claims, approvals
//	Result        the record for the journal, with the intents of the acts to begin
//	  | Commit, or Fail where the journal failed
//
// A turn starts no goroutine, does not sleep, reads no clock and calls no adapter. It calls
// the policies, through the executor that Evaluate gets. The loop drives it in real time
// (package loop); simulation and replay can drive it in virtual time.
//
// A recheck of an approval is a turn with Input.Recheck set.
//
// Start reading at agent.go, then observe.go.
package turn
