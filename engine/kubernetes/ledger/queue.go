package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Post takes events over, in one record; calls at the same time share an update. The
// names of handled and of delivered events are known for a week, and 10,000 of
// each; an event that is known needs no room. Events that fit into no object are an
// ErrTooLarge. After an ErrUnknown they may be there: to post them again does no harm.
func (l *Ledger) Post(ctx context.Context, postings []engine.Posting) (fresh int, err error) {
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

// replacedBy are the calls that newer ones replace.
func replacedBy(postings []engine.Posting, now time.Time) (out []handled) {
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

// naming names postings to a person.
func naming(postings []engine.Posting) string {
	if len(postings) == 1 {
		return fmt.Sprintf("event %s of %s", engine.Echo(postings[0].Event.ID), engine.Echo(postings[0].Event.Source))
	}
	return fmt.Sprintf("%d events", len(postings))
}

// Inbox returns the events that wait, in the order in which they came.
func (l *Ledger) Inbox(_ context.Context, agent string, limit int) ([]engine.Event, error) {
	l.mu.Lock()
	waiting, err := l.state.mail.inbox(agent, limit), l.fallen
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

// Outbox returns the deliveries that wait. Their data is json.RawMessage: it is only
// sent on; and so it is in Letters.
func (l *Ledger) Outbox(_ context.Context, limit int) ([]engine.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return nil, fmt.Errorf("read the outbox: %w", l.fallen)
	}
	return l.state.mail.deliveries(limit), nil
}

// Letters lists the boxes. Of dead letters the last 10,000 are kept, for Options.Forget.
func (l *Ledger) Letters(_ context.Context, agent string, limit int) ([]engine.Letter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return nil, fmt.Errorf("list the letters: %w", l.fallen)
	}
	return l.state.mail.list(agent, limit), nil
}

// Boxes counts what waits and what is dead.
func (l *Ledger) Boxes(context.Context) (engine.Boxes, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return engine.Boxes{}, fmt.Errorf("count the letters: %w", l.fallen)
	}
	m := &l.state.mail
	b := engine.Boxes{Outbox: len(m.outbox), Dead: len(m.dead)}
	for _, in := range m.inboxes {
		b.Inbox += len(*in)
	}
	return b, nil
}

// Settle notes what became of deliveries; one that does not wait is passed over. Like
// Conclude it returns before the cluster has it. What a crash loses is delivered
// again by the next leader, and deduplicated by who has it already.
func (l *Ledger) Settle(ctx context.Context, settled []engine.Settlement) error {
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
			l.say(end)
		}
	}
	return nil
}

// concludeCalls concludes the acts of calls that came to their end: before these do, so
// that no record has the end of a call alone.
func (l *Ledger) concludeCalls(ctx context.Context, settled []engine.Settlement) error {
	for _, d := range settled {
		if d.Outcome == nil {
			continue
		}
		l.mu.Lock()
		letter := l.state.mail.byID[d.ID]
		var act *entry
		if letter != nil && letter.fate == waits {
			act = l.state.acts[letter.ID]
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
		if err := conclude(ctx, engine.Conclusion{Identity: letter.ID, Outcome: *d.Outcome, At: d.At}); err != nil {
			return err
		}
	}
	return nil
}

// sentAgain notes that a call which had failed was sent again by a person, and delivered.
// Anything else of it changes nothing.
func (l *Ledger) sentAgain(ctx context.Context, c engine.Conclusion) error {
	l.mu.Lock()
	e := l.state.acts[c.Identity]
	if e == nil || !e.mayBecome(c.Outcome.Status) {
		l.mu.Unlock()
		return nil
	}
	out := engine.SentAgain(engine.Outcome{Detail: e.Detail}, c.Outcome)
	own := conclusion{c.Identity, out.Status, shorten(out.Detail), out.Applied, nanos(c.At)}
	l.state.conclude(own)
	l.said.conclusions = append(l.said.conclusions, own)
	signal(l.wake)
	l.mu.Unlock()
	if h, can := l.o.History.(interface {
		SentAgain(context.Context, engine.Conclusion) error
	}); can {
		return h.SentAgain(ctx, c)
	}
	return nil
}

// Bury makes a waiting event a dead letter. One that was handled or buried before
// stays what it is; one that never was there is an ErrNotFound. Like Conclude it
// returns before the cluster has it. What a crash loses waits in the inbox again.
func (l *Ledger) Bury(_ context.Context, agent string, e engine.Event, why string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := eventKey{Agent: agent, Source: e.Source, ID: e.ID}
	err := l.usable()
	if err == nil && !l.state.mail.known(k) {
		err = fmt.Errorf("event %w", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("bury event %s of %s in the inbox of %s: %w", e.ID, e.Source, agent, err)
	}
	if end, waited := l.state.bury(k, why, l.o.Clock.Now()); waited {
		l.say(end)
	}
	return nil
}

// say has an end written some time soon. The mutex is held.
func (l *Ledger) say(end handled) {
	l.said.ends = append(l.said.ends, end)
	signal(l.wake)
}

// Resend has dead letters wait again, behind what waits in their boxes, which may be
// full: nothing is refused. It returns once the cluster has it.
func (l *Ledger) Resend(ctx context.Context, ids []string) ([]string, error) {
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
		letter := l.state.mail.byID[id]
		if letter == nil || letter.fate != dead || slices.Contains(found, id) {
			continue
		}
		found = append(found, id)
		b.Resent = append(b.Resent, numbered{eventKey: letter.eventKey, N: s.n, At: s.at})
	}
	return found, b
}
