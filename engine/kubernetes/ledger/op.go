package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// op is one record on its way. One that takes another back has nobody waiting.
type op struct {
	b      *batch
	record string
	undo   *batch // set once it has landed: what would take it back
	result chan result
	from   []engine.ApprovalState // what the changes of its approvals expect
	post   bool                   // its events stay, whatever its caller was told
	alerts []engine.Envelope      // what is posted, where some is about alerts; nil otherwise
	resend bool

	// Guarded by the ledger's mutex.
	taken, orphan, ended bool
}

type result struct {
	fresh int // inboxes that had not had the event before
	err   error
}

// newOp packs a record, and refuses one that no object can hold.
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

// do has a record written and waits for it. A caller that gives up leaves the
// record unwritten, or has it taken back where it is too late for that.
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

// landed takes in a record that is in the log. The mutex is held.
func (l *Ledger) landed(o *op) {
	if o.result == nil { // taken in when it was made
		return
	}
	o.undo = l.state.undoing(o.b, "its firing failed: the answer of the API server was lost", l.o.Clock.Now())
	fresh := 0
	for _, u := range o.undo.Unposted {
		if !u.outgoing() {
			fresh++
		}
	}
	if o.post {
		o.undo.Unposted, o.undo.Reopened = nil, nil
	}
	l.state.take(o.b)
	if o.orphan || o.ended {
		o.ended = true
		l.queueUndo(o.undo)
		return
	}
	o.end(fresh, nil)
}

// putBack has them tried again, after what takes an earlier firing back. The mutex
// is held.
func (l *Ledger) putBack(ops []*op, said said) {
	var undo, rest []*op
	for _, o := range slices.Concat(ops, l.queue) {
		o.taken = false
		switch {
		case o.result == nil:
			undo = append(undo, o)
		case o.orphan: // nobody waits any more, and nothing is written
			o.ended = true
		default:
			rest = append(rest, o)
		}
	}
	l.queue = append(undo, rest...)
	l.said.putBack(said)
}

// failed gives back what was not written. The mutex is held.
func (l *Ledger) failed(ops []*op, said said, err error) {
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
	l.said.putBack(said)
	if len(keep)+said.len() > 0 && !errors.Is(err, apiclient.ErrDeposed) {
		l.o.Log.Warn("outcomes can't be written yet, and are tried again", "ledger", l.o.Name, "outcomes", said.len(), "error", err)
	}
}

// takeBack undoes a record that has landed.
func (l *Ledger) takeBack(o *op, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range o.undo.Conclusions {
		o.undo.Conclusions[i].Detail = shorten(why)
	}
	l.queueUndo(o.undo)
}

// queueUndo has a record undone, here at once and in the log with the next write.
// The mutex is held.
func (l *Ledger) queueUndo(undo *batch) {
	record, back, err := pack(undo)
	if err != nil { // it is made of what was packed before
		l.o.Log.Error("a firing can't be taken back", "ledger", l.o.Name, "error", err)
		return
	}
	if back.empty() {
		return
	}
	l.state.take(back)
	l.queue = append([]*op{{b: back, record: record}}, l.queue...)
	signal(l.wake)
}
