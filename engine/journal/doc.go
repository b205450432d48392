// Package journal is the durable record of the agents, in one SQLite file: what
// was sensed, decided, done and why, the inbox of events, and what an agent
// remembers across a restart. It implements engine.Journal, and answers the
// questions of `scanflow decisions`.
//
// A write that returned nil is on the disk: it survives a kill and a loss of
// power. A write that returned an error is not there, but for ErrUnknown, where
// the caller stopped waiting too early to know. The package never guesses, never
// repairs a damaged file and never overwrites one; it never deletes an open
// intent, the last act of a verb, an event that waits, or a note.
//
// Start reading at journal.go (what a journal is made of), then writer.go (how
// many writes share one trip to the disk), then schema.go (the tables).
package journal
