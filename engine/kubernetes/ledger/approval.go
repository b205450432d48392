package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Approvals returns those that have not ended, and those that ended since a time,
// which are kept for 24 hours, or for as long as they count, and 10,000 of them.
func (l *Ledger) Approvals(_ context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return nil, fmt.Errorf("list the approvals: %w", l.fallen)
	}
	return l.state.questions(agent, since), nil
}

// ApprovalsWaiting counts those that wait for a person.
func (l *Ledger) ApprovalsWaiting(_ context.Context, now time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return 0, fmt.Errorf("count the approvals: %w", l.fallen)
	}
	n := 0
	for _, a := range l.state.approvals {
		if a.State == engine.ApprovalWaiting && now.Before(a.Expires) {
			n++
		}
	}
	return n, nil
}

// Approval returns one.
func (l *Ledger) Approval(_ context.Context, id string) (engine.Approval, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fallen != nil {
		return engine.Approval{}, fmt.Errorf("read approval %s: %w", id, l.fallen)
	}
	a, have := l.state.approvals[id]
	if !have {
		return engine.Approval{}, fmt.Errorf("approval %s: %w", id, engine.ErrNoApproval)
	}
	return a.Approval, nil
}

// SaveApproval writes a change. After an ErrUnknown it may be there for a moment, and
// is taken back.
func (l *Ledger) SaveApproval(ctx context.Context, c engine.ApprovalChange) error {
	fail := func(err error) error { return fmt.Errorf("save approval %s: %w", c.Approval.ID, err) }
	changes := []engine.ApprovalChange{c}
	if err := checkApprovals(changes); err != nil {
		return fail(err)
	}
	o, err := l.newOp(&batch{Approvals: approvalsOf(changes, l.stamp())})
	if err != nil {
		return fail(err)
	}
	o.from = expected(changes)
	if _, err := l.do(ctx, o); err != nil {
		return fail(err)
	}
	l.tellHistory(ctx, c)
	return nil
}

func checkApprovals(changes []engine.ApprovalChange) error {
	var errs []error
	for i := range changes {
		if a := &changes[i].Approval; a.ID == "" || a.Agent == "" || a.State == "" {
			errs = append(errs, fmt.Errorf("approval %q of %q, %q: an approval needs an id, an agent and a state", a.ID, a.Agent, a.State))
		}
	}
	return errors.Join(errs...)
}

func approvalsOf(changes []engine.ApprovalChange, s stamp) []approval {
	var out []approval
	for _, c := range changes {
		out = append(out, approval{c.Approval, s.n})
	}
	return out
}

func expected(changes []engine.ApprovalChange) []engine.ApprovalState {
	var out []engine.ApprovalState
	for _, c := range changes {
		out = append(out, c.From)
	}
	return out
}

// forHistory is a firing as the history is to keep it. Mail is only here, as another
// pod delivers it after this one. Approvals go there once they have ended: the pod that
// asked may be another.
func (l *Ledger) forHistory(ctx context.Context, f engine.FiringRecord) (engine.FiringRecord, error) {
	changes := f.Approvals
	f.Envelopes, f.Approvals, f.Deferred = nil, nil, nil
	for _, c := range changes {
		news, err := l.newToHistory(ctx, &c)
		if err != nil {
			return f, err
		}
		if news {
			f.Approvals = append(f.Approvals, c)
		}
	}
	return f, nil
}

// newToHistory tells whether the history is to have an approval, and makes its change
// one that the history takes.
func (l *Ledger) newToHistory(ctx context.Context, c *engine.ApprovalChange) (bool, error) {
	if !c.Approval.State.Ended() {
		return false, nil
	}
	c.From = ""
	_, err := l.o.History.Approval(ctx, c.Approval.ID)
	if errors.Is(err, engine.ErrNoApproval) {
		return true, nil
	}
	return false, err
}

// tellHistory has the history keep an approval that a change ended. The change is
// made, whatever becomes of this.
func (l *Ledger) tellHistory(ctx context.Context, c engine.ApprovalChange) {
	news, err := l.newToHistory(ctx, &c)
	if news {
		err = l.o.History.SaveApproval(ctx, c)
	}
	if err != nil {
		l.o.Log.Warn("an approval is not in the history", "approval", c.Approval.ID, "state", c.Approval.State, "error", err)
	}
}
