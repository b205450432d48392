package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Post stores events in one record; concurrent calls share an update. The names of handled and
// of delivered events are known for a week, but 10,000 of each at most. A known event needs no
// capacity. Events that fit into no object are an ErrTooLarge. After an ErrUnknown they may be
// stored; posting them again is harmless.
func (l *Ledger) Enqueue(ctx context.Context, postings []engine.Envelope) (fresh int, err error) {
	fail := func(err error) (int, error) { return 0, fmt.Errorf("post %s: %w", naming(postings), err) }
	if err := checkPostings(postings); err != nil {
		return fail(err)
	}
	b := &batch{Events: eventsOf(postings, l.stamp()), Handled: replacedBy(postings, l.o.Clock.Now())}
	alerts := alertsOf(postings)
	if b.empty() && len(alerts) == 0 {
		return 0, nil
	}
	o, err := l.newOp(b)
	if err != nil {
		return fail(err)
	}
	if o.post = true; len(alerts) > 0 {
		o.alerts = postings
	}
	if fresh, err = l.do(ctx, o); err != nil {
		return fail(err)
	}
	return fresh, nil
}

// replacedBy returns the ends of calls that newer ones replace.
func replacedBy(postings []engine.Envelope, now time.Time) (out []handled) {
	for i := range postings {
		p := &postings[i]
		for _, to := range p.To {
			if p.Replaces != "" {
				out = append(out, handled{eventKey: eventKey{Agent: to.Agent, URL: to.URL, Source: p.Event.Source, ID: p.Replaces}, At: nanos(now)})
			}
		}
	}
	return out
}

// naming names postings in an error.
func naming(postings []engine.Envelope) string {
	if len(postings) == 1 {
		return fmt.Sprintf("event %s of %s", engine.Echo(postings[0].Event.ID), engine.Echo(postings[0].Event.Source))
	}
	return fmt.Sprintf("%d events", len(postings))
}

// Inbox returns the events that wait, in order of arrival.
func (l *Ledger) Inbox(_ context.Context, agent string, limit int) ([]engine.Event, error) {
	l.mu.Lock()
	waiting, err := l.state.queues.inbox(agent, limit), l.deposedErr
	l.mu.Unlock()
	out := make([]engine.Event, len(waiting))
	for i := 0; i < len(waiting) && err == nil; i++ {
		out[i], err = waiting[i].event()
	}
	if err != nil {
		return nil, fmt.Errorf("read the inbox of %s: %w", agent, err)
	}
	return out, nil
}

// Outbox returns the deliveries that wait. Their data, and that of Letters, is json.RawMessage,
// as it is only forwarded.
func (l *Ledger) Outbox(_ context.Context, limit int) ([]engine.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return nil, fmt.Errorf("read the outbox: %w", l.deposedErr)
	}
	return l.state.queues.deliveries(limit), nil
}

// Letters lists the boxes. The last 10,000 dead letters are kept, for Options.Forget.
func (l *Ledger) Messages(_ context.Context, agent string, limit int) ([]engine.Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return nil, fmt.Errorf("list the letters: %w", l.deposedErr)
	}
	return l.state.queues.list(agent, limit), nil
}

// Boxes counts waiting events and dead letters.
func (l *Ledger) Depths(context.Context) (engine.QueueDepths, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return engine.QueueDepths{}, fmt.Errorf("count the letters: %w", l.deposedErr)
	}
	m := &l.state.queues
	b := engine.QueueDepths{Outbox: len(m.outbox), Dead: len(m.dead)}
	for _, in := range m.inboxes {
		b.Inbox += len(*in)
	}
	return b, nil
}

// Settle records the ends of deliveries, and ignores a delivery that does not wait. Like
// Conclude it returns before the cluster has them. If a crash loses one, the next leader
// delivers again, and the receiver drops the duplicate.
func (l *Ledger) Ack(ctx context.Context, settled []engine.Ack) error {
	fail := func(err error) error { return fmt.Errorf("settle %d deliveries: %w", len(settled), err) }
	for _, d := range settled {
		if d.State != engine.Delivered && d.State != engine.UnwantedThere && d.State != engine.Undeliverable && d.State != engine.Dropped {
			return fail(fmt.Errorf("%q is no end of a delivery", d.State))
		}
	}
	if err := l.concludeCalls(ctx, settled); err != nil {
		return fail(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return fail(err)
	}
	for _, d := range settled {
		if end, waited := l.state.settle(d, l.o.Clock.Now()); waited {
			l.queueEnd(end)
		}
	}
	return nil
}

// concludeCalls concludes the acts of calls that have ended. It does so before the ends are
// recorded, so that no record has the end of a call without its conclusion.
func (l *Ledger) concludeCalls(ctx context.Context, settled []engine.Ack) error {
	for _, d := range settled {
		if d.Outcome == nil {
			continue
		}
		l.mu.Lock()
		message := l.state.queues.byID[d.ID]
		var act *entry
		if message != nil && message.fate == fateWaiting {
			act = l.state.acts[message.ID]
		}
		open := act != nil && act.open()
		l.mu.Unlock()
		if act == nil {
			continue
		}
		conclude := l.sentAgain
		if open {
			conclude = l.Conclude
		}
		if err := conclude(ctx, engine.Conclusion{Identity: message.ID, Outcome: *d.Outcome, At: d.At}); err != nil {
			return err
		}
	}
	return nil
}

// sentAgain records that a failed call was resent by a person and delivered. It ignores any
// other end.
func (l *Ledger) sentAgain(ctx context.Context, c engine.Conclusion) error {
	l.mu.Lock()
	e := l.state.acts[c.Identity]
	if e == nil || !e.canBecome(c.Outcome.Status) {
		l.mu.Unlock()
		return nil
	}
	out := engine.OutcomeOfRedelivery(engine.Outcome{Detail: e.Detail}, c.Outcome)
	own := conclusion{c.Identity, out.Status, truncateDetail(out.Detail), out.Applied, nanos(c.At)}
	l.state.conclude(own)
	l.outcomes.conclusions = append(l.outcomes.conclusions, own)
	signal(l.wake)
	l.mu.Unlock()
	if h, can := l.o.History.(interface {
		SentAgain(context.Context, engine.Conclusion) error
	}); can {
		return h.SentAgain(ctx, c)
	}
	return nil
}

// Bury makes a waiting event a dead letter. It ignores one that was handled or buried before;
// an unknown one is an ErrNotFound. Like Conclude it returns before the cluster has it. If a
// crash loses it, the event waits in the inbox again.
func (l *Ledger) DeadLetter(_ context.Context, agent string, e engine.Event, why string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := eventKey{Agent: agent, Source: e.Source, ID: e.ID}
	err := l.usable()
	if err == nil && !l.state.queues.known(k) {
		err = fmt.Errorf("event %w", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("bury event %s of %s in the inbox of %s: %w", e.ID, e.Source, agent, err)
	}
	if end, waited := l.state.bury(k, why, l.o.Clock.Now()); waited {
		l.queueEnd(end)
	}
	return nil
}

// queueEnd queues an end to be written. The mutex is held.
func (l *Ledger) queueEnd(end handled) {
	l.outcomes.ends = append(l.outcomes.ends, end)
	signal(l.wake)
}

// Resend puts dead letters at the end of their boxes again, which may exceed the boxes'
// capacity. It returns once the cluster has them.
func (l *Ledger) Redeliver(ctx context.Context, ids []string) ([]string, error) {
	found, b := l.resending(ids)
	if len(found) == 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.usable()
	}
	fail := func(err error) ([]string, error) {
		return nil, fmt.Errorf("send %d letters again: %w", len(found), err)
	}
	o, err := l.newOp(b)
	if err != nil {
		return fail(err)
	}
	o.resend = true
	if _, err := l.do(ctx, o); err != nil {
		return fail(err)
	}
	return found, nil
}

func (l *Ledger) resending(ids []string) (found []string, b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stampNow()
	b = &batch{}
	for _, id := range ids {
		message := l.state.queues.byID[id]
		if message == nil || message.fate != fateDead || slices.Contains(found, id) {
			continue
		}
		found = append(found, id)
		b.Resent = append(b.Resent, numbered{eventKey: message.eventKey, N: s.n, At: s.at})
	}
	return found, b
}
