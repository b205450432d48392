package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Ended approvals are kept for endedFor, or for as long as they count, but maxEnded at
// most.
const (
	endedFor = 24 * time.Hour
	maxEnded = 10_000
)

// approval is an approval with the number of the record that wrote it.
type approval struct {
	engine.Approval
	N int64 `json:"n"` // the record's number
}

// withdrawn restores an approval as it was before a record, unless it was decided since.
type withdrawn struct {
	ID  string    `json:"i"`
	Of  int64     `json:"of"` // the record's number
	Was *approval `json:"w,omitempty"`
}

// end returns when it ended, or its last change where that is unknown.
func (a *approval) end() time.Time {
	if !a.Ended.IsZero() {
		return a.Ended
	}
	return slices.MaxFunc([]time.Time{a.Decided, a.Asked}, time.Time.Compare)
}

// denial is 1 for a denied approval, else 0.
func (a *approval) denial() int {
	if a.State == engine.ApprovalDenied {
		return 1
	}
	return 0
}

func (s *state) applyApprovals(b *batch) {
	for _, a := range b.Approvals {
		s.noteNumber(a.N)
		s.approvals[a.ID] = a
	}
	for _, w := range b.Withdrawn {
		switch there, have := s.approvals[w.ID]; {
		case !have || there.N != w.Of:
		case w.Was == nil:
			delete(s.approvals, w.ID)
		default:
			s.approvals[w.ID] = *w.Was
		}
	}
}

// withdrawals returns what undoes a record's approvals.
func (s *state) withdrawals(b *batch) (out []withdrawn) {
	for _, a := range b.Approvals {
		if slices.ContainsFunc(out, func(w withdrawn) bool { return w.ID == a.ID }) {
			continue
		}
		w := withdrawn{ID: a.ID, Of: a.N}
		if was, have := s.approvals[a.ID]; have {
			w.Was = &was
		}
		out = append(out, w)
	}
	return out
}

// checkTransitions checks that each approval of a record is in the state that its change
// expects, after the changes before it in the record.
func (s *state) checkTransitions(b *batch, from []engine.ApprovalState) error {
	now := map[string]engine.ApprovalState{}
	for i, a := range b.Approvals {
		is, have := now[a.ID]
		if !have {
			is = s.approvals[a.ID].State
		}
		switch {
		case is == from[i]:
		case is == "":
			return fmt.Errorf("approval %s is not %s: %w: %w", a.ID, from[i], engine.ErrNoApproval, engine.ErrApprovalState)
		case from[i] == "":
			return fmt.Errorf("approval %s is there already, %s: %w", a.ID, is, engine.ErrApprovalState)
		default:
			return fmt.Errorf("approval %s is %s and not %s: %w", a.ID, is, from[i], engine.ErrApprovalState)
		}
		now[a.ID] = a.State
	}
	return nil
}

// approvalsSince returns the approvals of an agent ("" is all) that have not ended, or not
// before a time; oldest first.
func (s *state) approvalsSince(agent string, since time.Time) []engine.Approval {
	var out []engine.Approval
	for _, a := range s.approvals {
		if (agent == "" || a.Agent == agent) && (!a.State.Ended() || !a.end().Before(since)) {
			out = append(out, a.Approval)
		}
	}
	slices.SortFunc(out, func(a, b engine.Approval) int { return cmp.Or(a.Asked.Compare(b.Asked), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (s *state) pruneApprovals(now time.Time) {
	var ended []approval
	for id, a := range s.approvals {
		switch {
		case !a.State.Ended():
		case a.end().Before(now.Add(-max(endedFor, a.Counts()))):
			delete(s.approvals, id)
		default:
			ended = append(ended, a)
		}
	}
	if over := len(ended) - maxEnded; over > 0 {
		slices.SortFunc(ended, func(a, b approval) int { // drop denials last: without one, the engine asks again
			return cmp.Or(cmp.Compare(a.denial(), b.denial()), a.end().Compare(b.end()))
		})
		for _, a := range ended[:over] {
			delete(s.approvals, a.ID)
		}
	}
}
