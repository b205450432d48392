package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

func (l *Ledger) NextFiring(ctx context.Context) (string, error) { return l.o.History.NextFiring(ctx) }

func (l *Ledger) SaveReadings(ctx context.Context, agent string, readings []byte) error {
	return l.o.History.SaveReadings(ctx, agent, readings)
}

func (l *Ledger) LoadReadings(ctx context.Context, agent string) ([]byte, error) {
	return l.o.History.LoadReadings(ctx, agent)
}

// RecordFiring writes a firing's intents, notes, handled event, postings and changes of
// approvals to the cluster in one record, and then the firing to the history. A firing with
// none of them sends no request: what strategies remember is written with the next record
// that has an act or a note of its target, so that a new leader may begin from an older value.
//
// On an error the caller must not act: ErrTooLarge, apiclient.ErrDeposed, ErrUnknown,
// engine.ErrApprovalState, or an error of the API server or the history. If the record landed
// all the same, it is undone: its intents are concluded as abandoned, its notes and approvals
// are restored, its event waits in the inbox, and its postings are removed, unless they were
// delivered or decided meanwhile.
func (l *Ledger) RecordFiring(ctx context.Context, f engine.FiringRecord) error {
	fail := func(err error) error { return fmt.Errorf("record a firing of %s: %w", f.Agent, err) }
	b, err := batchOf(&f, l.stamp())
	if err != nil {
		return fail(err)
	}
	l.numberHeld(b)
	changes := f.Approvals
	if f, err = l.historyRecord(ctx, f); err != nil {
		return fail(err)
	}
	if h, can := l.o.History.(interface{ Health() error }); can {
		if err := h.Health(); err != nil { // the record would have to be undone at once
			return fail(err)
		}
	}
	if err := l.holdRemembered(&f); err != nil {
		return fail(err)
	}
	if b.empty() {
		l.mu.Lock()
		err := l.usable()
		l.mu.Unlock()
		if err != nil {
			return fail(err)
		}
		return l.o.History.RecordFiring(ctx, f)
	}
	o, err := l.newOp(l.withRemembered(b))
	if errors.Is(err, ErrTooLarge) {
		o, err = l.newOp(b)
	}
	if err != nil {
		return fail(err)
	}
	o.from = expected(changes)
	if _, err := l.do(ctx, o); err != nil {
		return fail(err)
	}
	l.wroteRemembered(o.b)
	if err := l.o.History.RecordFiring(ctx, f); err != nil {
		l.undoCommitted(o, "its firing could not be recorded in the history")
		return fail(err)
	}
	for _, a := range b.Acts {
		l.markInHistory(a.Identity)
	}
	return nil
}

// batchOf returns the record of a firing, which is empty for a quiet one.
func batchOf(f *engine.FiringRecord, s stamp) (*batch, error) {
	if err := errors.Join(checkPostings(f.Envelopes), checkApprovals(f.Approvals)); err != nil {
		return nil, err
	}
	b := &batch{Events: eventsOf(f.Envelopes, s), Approvals: approvalsOf(f.Approvals, s)}
	for _, in := range f.Intents {
		if in.Identity == "" || in.Agent == "" {
			return nil, fmt.Errorf("intend %s on %s: an intent needs an identity and an agent", in.Primitive, in.Target)
		}
		b.Acts = append(b.Acts, actOf(in))
	}
	for i := range f.Notes {
		if f.Notes[i].Keeps() || f.Notes[i].Remembered {
			continue
		}
		n, err := noteOf(f, &f.Notes[i])
		if err != nil {
			return nil, err
		}
		b.Notes = append(b.Notes, n)
	}
	if e := f.Trigger.Event; e != nil {
		h := handled{eventKey: eventKey{Agent: f.Agent, Source: e.Source, ID: e.ID}, At: nanos(f.At)}
		if f.Deferred != nil {
			if h.Fate, h.Why, h.Kept = fateWaiting, truncate(whyBytes, f.Deferred.Why), (*storedEvent)(&f.Deferred.Event); f.Deferred.Dead {
				h.Fate = fateDead
			}
		}
		b.Handled = []handled{h}
	}
	return b, nil
}

func noteOf(f *engine.FiringRecord, n *engine.Note) (note, error) {
	key, value := n.Stored()
	raw, err := json.Marshal(value)
	if err != nil {
		return note{}, fmt.Errorf("note of %s on %s: %w", key, n.Target, err)
	}
	return note{f.Agent, target(n.Target), key, raw, nanos(f.At)}, nil
}

// numberHeld sets which of the messages of its name a held-back event is.
func (l *Ledger) numberHeld(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range b.Handled {
		if h := &b.Handled[i]; h.Fate != fateHandled {
			if there := l.state.queues.messages[h.eventKey]; there != nil {
				h.Of = there.n
			}
		}
	}
}

// Conclude records the outcome of an intent. It returns before the cluster has it:
// conclusions are gathered, retried until they are written, and written by Close. If a crash
// loses one, the intent stays open, and the next leader checks and concludes it again. An
// unknown identity is an ErrNotFound; only the first conclusion counts.
func (l *Ledger) Conclude(ctx context.Context, c engine.Conclusion) error {
	in, local, err := l.conclude(c)
	if err != nil {
		return fmt.Errorf("conclude %s: %w", c.Identity, err)
	}
	if !local { // an earlier leader intended it, in another history
		h, can := l.o.History.(interface {
			Intend(context.Context, engine.Intent) error
		})
		if !can {
			return nil
		}
		intended := h.Intend(ctx, in) // Conclude below fails as well if this matters
		if err := l.o.History.Conclude(ctx, c); err != nil {
			return errors.Join(intended, err)
		}
		l.markInHistory(c.Identity)
		return nil
	}
	return l.o.History.Conclude(ctx, c)
}

func (l *Ledger) conclude(c engine.Conclusion) (in engine.Intent, local bool, err error) {
	if c.Outcome.Status == engine.Running || c.Outcome.Status == "" {
		return in, false, fmt.Errorf("%q is no conclusion", c.Outcome.Status)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return in, false, err
	}
	e := l.state.acts[c.Identity]
	if e == nil || e.ofPeer {
		return in, false, fmt.Errorf("intent %w", ErrNotFound)
	}
	in, local = e.act.act().Intent, e.local
	if e.open() {
		own := conclusion{c.Identity, c.Outcome.Status, truncateDetail(c.Outcome.Detail), c.Outcome.Applied, nanos(c.At)}
		l.state.conclude(own)
		l.outcomes.conclusions = append(l.outcomes.conclusions, own)
		signal(l.wake)
	}
	return in, local, nil
}

// Began records that an act was applied. It returns before the cluster has it, like Conclude.
func (l *Ledger) Began(_ context.Context, identity string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.usable()
	e := l.state.acts[identity]
	if err == nil && (e == nil || e.ofPeer) {
		err = fmt.Errorf("intent %w", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("note that %s has begun: %w", identity, err)
	}
	if e.open() && !e.Begun {
		own := conclusion{Identity: identity, Status: engine.Running, Ended: nanos(l.o.Clock.Now())}
		l.state.conclude(own)
		l.outcomes.conclusions = append(l.outcomes.conclusions, own)
		signal(l.wake)
	}
	return nil
}

// markInHistory marks intents that the history has.
func (l *Ledger) markInHistory(identities ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, identity := range identities {
		if e := l.state.acts[identity]; e != nil {
			e.local = true
		}
	}
}

// Open returns an agent's intents without a conclusion, oldest first. Those of other logs are
// left to their owner, until the log is adopted.
func (l *Ledger) Open(_ context.Context, agent string) ([]engine.Intent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return nil, fmt.Errorf("read the open intents of %s: %w", agent, l.deposedErr)
	}
	return l.state.open(agent), nil
}

// Remember returns what an agent did, from this log and, for targets that are owned here, from
// the install's other logs as they were when this one was opened.
func (l *Ledger) Remember(_ context.Context, agent string, since time.Time) (engine.Recollection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return engine.Recollection{}, fmt.Errorf("read the memory of %s: %w", agent, l.deposedErr)
	}
	r, err := l.state.remember(agent, since)
	if err != nil {
		return r, fmt.Errorf("read the memory of %s: %w", agent, err)
	}
	return r, nil
}
