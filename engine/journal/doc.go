// Package journal is the durable record of the agents, in one SQLite file: what
// was sensed, decided, done and why, the events on their way to agents and to
// endpoints elsewhere, the questions to persons, and what an agent remembers across
// a restart. It implements engine.Journal, engine.Mail and engine.Approvals, and
// answers the questions of `scanflow decisions`.
//
// An event is in a box once, by its source and id, whatever became of it:
//
//	Post --> inbox, waiting  --> handled     by a firing, in the firing's transaction
//	   |           ^    \-----> dead         buried; Resend has it wait again
//	   |           +--------------/
//	   +---> outbox, waiting --> delivered, or unwanted there
//	               ^    \-----> dead         undeliverable, or wanted by nobody
//	               +--------------/
//
// A write that returned nil is on the disk: it survives a kill and a loss of
// power. A write that returned an error is not there, but for ErrUnknown, where
// the caller stopped waiting too early to know. The package never guesses, never
// repairs a damaged file and never overwrites one; it never deletes an open
// intent, the last act of a verb, an event that waits, a question that waits or was
// answered with yes and not yet used, or a note.
//
// Start reading at journal.go (what a journal is made of), then writer.go (how
// many writes share one trip to the disk), then schema.go (the tables); for events,
// post.go, and boxes.go for how many may wait.
package journal
