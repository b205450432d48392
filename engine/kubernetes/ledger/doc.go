// Package ledger keeps in the cluster what a new leader must know: open intents,
// the acts that cooldowns and budgets count, notes, mail (the inboxes, the outbox and
// the dead letters), and approvals. It is an engine.Journal around a local one, which
// keeps the full history of its pod.
//
// A log is a head and its segments, custom resources of the kind Ledger. The head
// names the writer and lists the segments; a segment holds batches of records.
// Every change of either is an update on the resourceVersion that was last seen:
//
//	open     head: writer = me, term + 1    no other can list a segment any more
//	         last segment: sealed           no other can append to it any more
//	         read all that the head lists
//	write    append to the last segment     one update for all that waits
//	roll     make a segment, list it        before it is listed, it does not exist
//	compact  make base segments, list them in place of the old, delete the old
//
// So a process may die between any two requests. What the head does not list is
// litter, which the next writer removes.
//
// What a caller waits for is in the log when the call returns: a firing, what was
// posted or sent again, a change of an approval. What nobody waits for is gathered and
// written soon after, and by Close: conclusions, what became of deliveries, what was
// buried. A crash may lose that, and the next leader finds it out again; a delivery
// that is made again is dropped by who has it.
//
// A write whose answer was lost is read back. While even that fails it is in doubt:
// its callers are told that it failed, and if it turns out to have landed, its
// intents are concluded as abandoned, its event goes back to the head of the inbox,
// its notes and approvals are what they were, and what the firing posted is gone.
// What was decided or delivered meanwhile stays, and so do events that were posted
// by themselves: who posted them does so again, and they are known.
//
// The package never writes for a firing that did nothing, never does half a firing,
// and never throws away an open intent, a waiting event or an approval that has not
// ended. Start reading at journal.go, mail.go and approval.go (what the engine asks),
// then state.go and letter.go (what is known), writer.go, cas.go and open.go.
package ledger
