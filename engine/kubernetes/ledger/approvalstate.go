package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Approvals that have ended are kept for so long at least, and for as long as they count;
// and so many of them.
const (
	endedFor  = 24 * time.Hour
	endedMost = 10_000
)

// approval is one as a record left it.
type approval struct {
	engine.Approval
	N int64 `json:"n"` // the record's number
}

// withdrawn makes an approval what it was before a record. What was decided since
// then stays.
type withdrawn struct {
	ID  string    `json:"i"`
	Of  int64     `json:"of"` // the record's number
	Was *approval `json:"w,omitempty"`
}

// end is when it ended, or when it was last heard of where it does not say.
func (a *approval) end() time.Time {
	if !a.Ended.IsZero() {
		return a.Ended
	}
	return slices.MaxFunc([]time.Time{a.Decided, a.Asked}, time.Time.Compare)
}

// denial is 1 for what a person refused, and 0 for the others.
func (a *approval) denial() int {
	if a.State == engine.ApprovalDenied {
		return 1
	}
	return 0
}

func (s *state) takeApprovals(b *batch) {
	for _, a := range b.Approvals {
		s.saw(a.N)
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

// withdrawing is what takes a record's approvals back.
func (s *state) withdrawing(b *batch) (out []withdrawn) {
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

// allows is nil if each approval of a record is in the state that its change expects,
// those before it in the record having been made.
func (s *state) allows(b *batch, from []engine.ApprovalState) error {
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

// questions are those of an agent, "" for all, that have not ended, or not before
// a time; oldest first.
func (s *state) questions(agent string, since time.Time) []engine.Approval {
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
	if over := len(ended) - endedMost; over > 0 {
		slices.SortFunc(ended, func(a, b approval) int { // denials last: without one, the same is asked again
			return cmp.Or(cmp.Compare(a.denial(), b.denial()), a.end().Compare(b.end()))
		})
		for _, a := range ended[:over] {
			delete(s.approvals, a.ID)
		}
	}
}
