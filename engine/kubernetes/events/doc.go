// Package events writes Kubernetes Events about what the engine did, so that `kubectl
// events` and `kubectl describe` show it.
//
//	on the target   what a person must see: an act that failed or is kept from its end, a
//	                refusal that stays until a person acts, a field that was taken over from
//	                another manager (five a turn), or set back from what another agent wrote
//	on the Agent    what went well: one event for all acts of a turn, with counts and names
//
// A failure or an obstacle that repeats is recorded once in ten minutes. A cooldown is no event.
//
// It only observes the engine: it changes no object, and an event that can't be written
// is dropped; the journal has everything. Start reading at recorder.go.
package events
