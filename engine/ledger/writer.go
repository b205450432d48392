package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kube"
)

// One goroutine writes. Each of its turns takes what waits, appends it to the
// current segment in one update, and tells those who wait for it:
//
//	waiting --- a firing, an event ---------------------------> append --> tell
//	    \------ conclusions ----> gather, 100 ms at most ------/      \
//	                                      ^---- back off, if any are left

// mostConclusions bounds one record of them: about 100 KiB at worst.
const mostConclusions = 1000

// op is one record on its way. One that takes another back has nobody waiting.
type op struct {
	b      *batch
	record string
	undo   *batch // set once it has landed: what would take it back
	result chan result

	// Guarded by the ledger's mutex.
	taken, orphan, ended bool
}

type result struct {
	fresh bool
	err   error
}

// newOp packs a record, and refuses one that no object can hold.
func (l *Ledger) newOp(b *batch) (*op, error) {
	record, back, err := pack(b)
	if err != nil {
		return nil, err
	}
	if size := len(record) + objectOverhead; size > l.o.MaxObjectBytes {
		return nil, fmt.Errorf("%w: %d intents, %d notes, %d events take %d bytes of %d", ErrTooLarge, len(b.Acts), len(b.Notes), len(b.Events), size, l.o.MaxObjectBytes)
	}
	return &op{b: back, record: record, result: make(chan result, 1)}, nil
}

// do has a record written and waits for it. A caller that gives up leaves the
// record unwritten, or has it taken back where it is too late for that.
func (l *Ledger) do(ctx context.Context, o *op) (bool, error) {
	l.mu.Lock()
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return false, err
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
		return false, context.Cause(ctx)
	}
	o.orphan = true
	return false, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Ledger) loop(ctx context.Context) {
	defer close(l.done)
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refuse(ErrClosed)
	}()
	const firstPause, mostPause = time.Second, 10 * time.Second
	pause := firstPause
	var again <-chan time.Time
	stopTimer := func() {}
	defer func() { stopTimer() }()
	for {
		select {
		case <-l.wake:
		case <-again:
		case <-l.closing:
			l.finish(ctx)
			return
		}
		stopTimer()
		again, stopTimer = nil, func() {}
		l.gather(ctx)
		if l.flushAll(ctx) {
			pause = firstPause
			continue
		}
		again, stopTimer = l.o.Clock.Timer(pause)
		pause = min(2*pause, mostPause)
	}
}

// gather waits for more conclusions, unless somebody waits for an answer.
func (l *Ledger) gather(ctx context.Context) {
	select {
	case <-l.urgent: // of those who have their answer by now
	default:
	}
	l.mu.Lock()
	hurry := len(l.queue) > 0 || len(l.conclusions) == 0
	l.mu.Unlock()
	if hurry {
		return
	}
	wake, stop := l.o.Clock.Timer(l.o.Gather)
	defer stop()
	select {
	case <-wake:
	case <-l.urgent:
	case <-l.closing:
	case <-ctx.Done():
	}
}

// finish writes what is left, until it is, or the time for it is over.
func (l *Ledger) finish(ctx context.Context) {
	for !l.flushAll(ctx) {
		if !l.sleep(ctx, firstRetry) {
			return
		}
	}
}

// flushAll writes until nobody waits, or a write fails. It returns whether nothing is
// to be tried again. Conclusions that came in meanwhile are left to be gathered.
func (l *Ledger) flushAll(ctx context.Context) bool {
	for first := true; ; first = false {
		l.mu.Lock()
		idle := l.fallen != nil || len(l.queue)+len(l.conclusions) == 0
		if !first && !l.closed && len(l.queue) == 0 && len(l.conclusions) > 0 {
			signal(l.wake)
			idle = true
		}
		if l.fallen != nil {
			l.refuse(l.fallen)
		}
		l.mu.Unlock()
		if idle {
			return true
		}
		if !l.flush(ctx) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.fallen == nil && len(l.queue)+len(l.conclusions) == 0
		}
	}
}

// refuse tells everybody who waits. The mutex is held.
func (l *Ledger) refuse(err error) {
	l.queue = slices.DeleteFunc(l.queue, func(o *op) bool {
		if o.result != nil {
			o.end(false, err)
		}
		return o.result != nil
	})
}

func (o *op) end(fresh bool, err error) {
	o.ended = true
	if o.result != nil {
		o.result <- result{fresh, err}
	}
}

// flush writes one update's worth of what waits.
func (l *Ledger) flush(ctx context.Context) bool {
	ops, said := l.next()
	if len(ops)+len(said) == 0 {
		return true
	}
	var records []string
	if len(said) > 0 { // they go first: what they conclude is in the log already
		record, _, err := pack(&batch{Conclusions: said})
		if err != nil {
			l.o.Log.Error("conclusions lost", "ledger", l.o.Name, "error", err)
			said = nil
		} else {
			records = append(records, record)
		}
	}
	for _, o := range ops {
		records = append(records, o.record)
	}
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	err := l.append(ctx, records, func() { // it had landed after all, when all were told that it failed
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o := range ops {
			l.landed(o)
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		for _, o := range ops {
			l.landed(o)
		}
		if len(l.state.acts) > 2*l.state.pruned+1000 {
			l.state.prune(l.o.Clock.Now(), l.o.Horizon, l.o.Forget)
		}
		return true
	}
	if errors.Is(err, errMoved) {
		l.putBack(ops, said)
		return true
	}
	l.failed(ops, said, kube.Classify(fmt.Errorf("write ledger %s: %w", l.o.Name, err)))
	return false
}

// next takes from what waits as much as belongs into one update.
func (l *Ledger) next() (ops []*op, said []conclusion) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	arriving := map[eventKey]bool{}
	var left []*op
	for i, o := range l.queue {
		if size > 0 && size+len(o.record) > l.o.SegmentBytes {
			left = append(left, l.queue[i:]...)
			break
		}
		if o.result != nil && len(o.b.Events) == 1 {
			key := o.b.Events[0].key()
			if l.state.known(key) {
				o.end(false, nil)
				continue
			}
			if arriving[key] { // whether it is the second is known once the first is written
				left = append(left, o)
				continue
			}
			arriving[key] = true
		}
		o.taken = true
		size += len(o.record)
		ops = append(ops, o)
	}
	l.queue = left
	if size > l.o.MaxObjectBytes/2 { // it needs the object for itself
		return ops, nil
	}
	n := min(len(l.conclusions), mostConclusions, l.o.SegmentBytes/128)
	said = slices.Clone(l.conclusions[:n])
	l.conclusions = slices.Delete(l.conclusions, 0, n)
	return ops, said
}

// landed takes in a record that is in the log. The mutex is held.
func (l *Ledger) landed(o *op) {
	if o.result == nil { // taken in when it was made
		return
	}
	o.undo = l.state.undoing(o.b, "its firing failed: the answer of the API server was lost", l.o.Clock.Now())
	l.state.take(o.b)
	if o.orphan || o.ended {
		o.ended = true
		l.queueUndo(o.undo)
		return
	}
	o.end(true, nil)
}

// putBack has them tried again, after what takes an earlier firing back. The mutex
// is held.
func (l *Ledger) putBack(ops []*op, said []conclusion) {
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
	l.conclusions = append(said, l.conclusions...)
}

// failed gives back what was not written. The mutex is held.
func (l *Ledger) failed(ops []*op, said []conclusion, err error) {
	var keep []*op
	for _, o := range ops {
		o.taken = false
		switch {
		case o.result == nil:
			keep = append(keep, o)
		case o.orphan:
			o.ended = true
		default:
			o.end(false, err)
		}
	}
	l.queue = append(keep, l.queue...)
	l.conclusions = append(said, l.conclusions...)
	if len(keep)+len(said) > 0 && !errors.Is(err, kube.ErrDeposed) {
		l.o.Log.Warn("outcomes can't be written yet, and are tried again", "ledger", l.o.Name, "outcomes", len(said), "error", err)
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
	if len(back.Conclusions)+len(back.Notes)+len(back.Reopened) == 0 {
		return
	}
	l.state.take(back)
	l.queue = append([]*op{{b: back, record: record}}, l.queue...)
	signal(l.wake)
}
