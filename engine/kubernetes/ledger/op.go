package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// op is a record to be written. One that undoes another has no caller.
type op struct {
	b      *batch
	record string
	undo   *batch // the inverse; set once it has landed
	result chan result
	from   []engine.ApprovalState // the states that its changes of approvals expect
	post   bool                   // its events stay even if its caller got an error
	alerts []engine.Envelope      // the postings, if any is about an alert
	resend bool

	// Guarded by the ledger's mutex.
	taken, orphan, ended bool
}

type result struct {
	fresh int // inboxes in which the event is new
	err   error
}

// newOp packs a record, and refuses one that is too large for an object.
func (l *Ledger) newOp(b *batch) (*op, error) {
	record, back, err := pack(b)
	if err != nil {
		return nil, err
	}
	if size := len(record) + objectOverhead; size > l.o.MaxObjectBytes {
		return nil, fmt.Errorf("%w: %d intents, %d notes, %d events, %d approvals take %d bytes of %d", ErrTooLarge, len(b.Acts), len(b.Notes), len(b.Events), len(b.Approvals), size, l.o.MaxObjectBytes)
	}
	return &op{b: back, record: record, result: make(chan result, 1)}, nil
}

// do writes a record and waits for it. If ctx ends first, the record is not written, or is
// undone if it is too late for that.
func (l *Ledger) do(ctx context.Context, o *op) (fresh int, err error) {
	l.mu.Lock()
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	l.queue = append(l.queue, o)
	l.mu.Unlock()
	signal(l.wake)
	signal(l.urgent)
	select {
	case r := <-o.result:
		return r.fresh, r.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.ended {
		r := <-o.result
		return r.fresh, r.err
	}
	if !o.taken {
		l.queue = slices.DeleteFunc(l.queue, func(q *op) bool { return q == o })
		return 0, context.Cause(ctx)
	}
	o.orphan = true
	return 0, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
}

func (o *op) end(fresh int, err error) {
	o.ended = true
	if o.result != nil {
		o.result <- result{fresh, err}
	}
}

// committed applies a record that is in the log. The mutex is held.
func (l *Ledger) committed(o *op) {
	if o.result == nil { // applied when it was queued
		return
	}
	o.undo = l.state.inverse(o.b, "its firing failed: the answer of the API server was lost", l.o.Clock.Now())
	fresh := 0
	for _, u := range o.undo.Unposted {
		if !u.outgoing() {
			fresh++
		}
	}
	if o.post {
		o.undo.Unposted, o.undo.Reopened = nil, nil
	}
	l.state.apply(o.b)
	if o.orphan || o.ended {
		o.ended = true
		l.queueUndo(o.undo)
		return
	}
	o.end(fresh, nil)
}

// requeue has records tried again, after the ones that undo an earlier firing. The mutex is
// held.
func (l *Ledger) requeue(ops []*op, outs outcomes) {
	var undo, rest []*op
	for _, o := range slices.Concat(ops, l.queue) {
		o.taken = false
		switch {
		case o.result == nil:
			undo = append(undo, o)
		case o.orphan: // its caller is gone, and nothing was written
			o.ended = true
		default:
			rest = append(rest, o)
		}
	}
	l.queue = append(undo, rest...)
	l.outcomes.requeue(outs)
}

// writeFailed answers the callers of records that were not written, and requeues the others.
// The mutex is held.
func (l *Ledger) writeFailed(ops []*op, outs outcomes, err error) {
	var keep []*op
	for _, o := range ops {
		o.taken = false
		switch {
		case o.result == nil:
			keep = append(keep, o)
		case o.orphan:
			o.ended = true
		default:
			o.end(0, err)
		}
	}
	l.queue = append(keep, l.queue...)
	l.outcomes.requeue(outs)
	if len(keep)+outs.len() > 0 && !errors.Is(err, apiclient.ErrDeposed) {
		l.o.Log.Warn("outcomes can't be written yet, and are tried again", "ledger", l.o.Name, "outcomes", outs.len(), "error", err)
	}
}

// undoCommitted undoes a record that has landed.
func (l *Ledger) undoCommitted(o *op, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range o.undo.Conclusions {
		o.undo.Conclusions[i].Detail = truncateDetail(why)
	}
	l.queueUndo(o.undo)
}

// queueUndo applies the inverse of a record at once, and queues it for the log. The mutex is
// held.
func (l *Ledger) queueUndo(undo *batch) {
	record, back, err := pack(undo)
	if err != nil { // unlikely: its parts were packed before
		l.o.Log.Error("a firing can't be taken back", "ledger", l.o.Name, "error", err)
		return
	}
	if back.empty() {
		return
	}
	l.state.apply(back)
	l.queue = append([]*op{{b: back, record: record}}, l.queue...)
	signal(l.wake)
}
