package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Approvals returns the approvals that have not ended, and those that ended since a time.
// Ended ones are kept for 24 hours, or for as long as they count, but 10,000 at most.
func (l *Ledger) Approvals(_ context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return nil, fmt.Errorf("list the approvals: %w", l.deposedErr)
	}
	return l.state.approvalsSince(agent, since), nil
}

// ApprovalsWaiting counts the approvals that wait for a person.
func (l *Ledger) ApprovalsWaiting(_ context.Context, now time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return 0, fmt.Errorf("count the approvals: %w", l.deposedErr)
	}
	n := 0
	for _, a := range l.state.approvals {
		if a.State == engine.ApprovalWaiting && now.Before(a.Expires) {
			n++
		}
	}
	return n, nil
}

func (l *Ledger) Approval(_ context.Context, id string) (engine.Approval, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deposedErr != nil {
		return engine.Approval{}, fmt.Errorf("read approval %s: %w", id, l.deposedErr)
	}
	a, have := l.state.approvals[id]
	if !have {
		return engine.Approval{}, fmt.Errorf("approval %s: %w", id, engine.ErrNoApproval)
	}
	return a.Approval, nil
}

// SaveApproval writes a change. After an ErrUnknown it may show for a moment until it is
// undone.
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
	l.copyToHistory(ctx, c)
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

// historyRecord returns a firing as the history stores it. Postings are only in the ledger, as
// another pod may deliver them later. Approvals get into the history when they have ended,
// since another pod may have asked.
func (l *Ledger) historyRecord(ctx context.Context, f engine.FiringRecord) (engine.FiringRecord, error) {
	changes := f.Approvals
	f.Envelopes, f.Approvals, f.Deferred = nil, nil, nil
	for _, c := range changes {
		missing, err := l.missingInHistory(ctx, &c)
		if err != nil {
			return f, err
		}
		if missing {
			f.Approvals = append(f.Approvals, c)
		}
	}
	return f, nil
}

// missingInHistory reports whether an ended approval is not in the history yet, and makes its
// change one that the history accepts.
func (l *Ledger) missingInHistory(ctx context.Context, c *engine.ApprovalChange) (bool, error) {
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

// copyToHistory stores an ended approval in the history. A failure is only logged, as the
// change is made.
func (l *Ledger) copyToHistory(ctx context.Context, c engine.ApprovalChange) {
	missing, err := l.missingInHistory(ctx, &c)
	if missing {
		err = l.o.History.SaveApproval(ctx, c)
	}
	if err != nil {
		l.o.Log.Warn("an approval is not in the history", "approval", c.Approval.ID, "state", c.Approval.State, "error", err)
	}
}
