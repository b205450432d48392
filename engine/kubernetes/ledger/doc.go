// Package ledger stores in the cluster what a new leader must know: open intents, the acts
// that cooldowns and budgets count, notes, queues (the inboxes, the outbox and the dead
// letters), and approvals. It implements engine.Journal around a local journal, which has
// the full history of its pod.
//
// A log is a head and its segments, custom resources of the kind Ledger. The head names the
// writer and lists the segments; a segment holds batches of records. Every change to either
// is an update of the resourceVersion that was last seen:
//
//	open     head: writer = me, term + 1    no other writer can list a segment any more
//	         last segment: sealed           no other writer can append to it any more
//	         read all segments in the head
//	write    append to the last segment     one update for all queued records
//	roll     create a segment, list it      until it is listed, it does not count
//	compact  create base segments, list them in place of the old ones, delete the old ones
//
// So a process may die between any two requests. Segments that the head does not list are
// garbage, which the next writer deletes.
//
// A call that waits returns when the log has its record: a firing, posted or resent events,
// a change of an approval. Other records are collected and written soon after, and by Close:
// conclusions, the ends of deliveries, dead letters. A crash may lose those. The next leader
// then finds them out again; a repeated delivery is dropped by its receiver, which has it.
//
// A write whose answer was lost is read back. While even that fails, the write is uncertain:
// its callers get an error, and if it turns out to have landed, its intents are concluded as
// abandoned, its event goes back to the head of the inbox, its notes and approvals are
// restored, and the events that the firing posted are removed. Decisions and deliveries made
// meanwhile stay. Events that were posted outside a firing stay as well: their sender posts
// them again, and they are known.
//
// The package never writes for a firing that did nothing, never writes half a firing, and
// never drops an open intent, a waiting event or an approval that has not ended. It imports
// the engine and apiclient. Start reading at journal.go, queue.go and approval.go (the
// engine's interface), then state.go and message.go (what is stored), writer.go, cas.go and
// open.go.
package ledger
