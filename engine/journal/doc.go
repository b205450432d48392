// Package journal stores the durable state of the agents in one SQLite file: what was sensed,
// decided and done and why, the queued events for agents and for remote endpoints, the
// approvals, and what an agent remembers across a restart. It implements engine.Journal,
// engine.Queue and engine.Approvals, and serves the queries of `scanflow decisions`.
//
// A queue has an event once, by its source and id, in one of these states:
//
//	Post --> inbox, waiting  --> handled     by a firing, in the firing's transaction
//	   |           ^    \-----> dead         dead letter; Resend queues it again
//	   |           +--------------/
//	   +---> outbox, waiting --> delivered, or unwanted there
//	               ^    \-----> dead         undeliverable, or wanted by no endpoint
//	               +--------------/
//
// A write that returned nil is on the disk and survives a kill and a loss of power. A write
// that returned an error was not done, except for ErrUnknown: the caller stopped waiting for
// the result. The package never repairs or overwrites a damaged file. It never deletes an open
// intent, the last act of a verb, a waiting event, an approval that waits or was granted and
// not yet used, or a note. It imports the contracts in engine and SQLite.
//
// Start reading at journal.go (the parts of a journal), then writer.go (how writes share a
// transaction), then schema.go (the tables); for events, enqueue.go, and queuesizes.go for
// the limits of the queues.
package journal
