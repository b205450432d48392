package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ApprovalState is the state of an approval.
//
//	waiting ----> approved ----> used       the act began
//	   |  \           \
//	   |   \           +-------> lapsed     the recheck found that it is no longer wanted
//	   |    +--> denied           \         (a waiting one too, if its agent is gone)
//	   +-------> expired  <--------+ (expired: nobody answered, or a guard never let it pass)
type ApprovalState string

const (
	ApprovalWaiting  ApprovalState = "waiting"
	ApprovalApproved ApprovalState = "approved"
	ApprovalDenied   ApprovalState = "denied"
	ApprovalExpired  ApprovalState = "expired"
	ApprovalLapsed   ApprovalState = "lapsed"
	ApprovalUsed     ApprovalState = "used"
)

// Ended reports whether the state is final.
func (s ApprovalState) Ended() bool { return s != ApprovalWaiting && s != ApprovalApproved }

// Stage orders the states: no state leads to one of a lower stage.
func (s ApprovalState) Stage() int {
	switch {
	case s.Ended():
		return 2
	case s == ApprovalApproved:
		return 1
	}
	return 0
}

// Approval is one proposal that waits for a person, or waited.
type Approval struct {
	ID string `json:"id"`
	// Key is the same for the same proposal (agent, target, strategy, verb and
	// parameters), whichever firing makes it.
	Key       string         `json:"key"`
	Agent     string         `json:"agent"`
	Target    TargetID       `json:"target"`
	Strategy  string         `json:"strategy"`
	Primitive string         `json:"primitive"`
	With      map[string]any `json:"with,omitempty"`
	Reason    string         `json:"reason"`
	Because   []string       `json:"because"`
	// Diff is the change as planned when the approval was requested.
	Diff string `json:"diff"`
	// Firing and Trigger are those that requested it. The recheck has the same trigger.
	Firing  string        `json:"firing"`
	Trigger TriggerInfo   `json:"trigger"`
	Asked   time.Time     `json:"asked"`
	Expires time.Time     `json:"expires"`
	State   ApprovalState `json:"state"`
	// By, Why and Decided are the person's, for approved and denied, and stay.
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	// Held is the guard that kept the approved act from beginning at the last recheck, and
	// its reason; "" where none did.
	Held string `json:"held,omitempty"`
	// Ended is the time at which the approval ended, Detail the reason, for a person, and
	// Identity the act that used it.
	Ended    time.Time `json:"ended,omitzero"`
	Detail   string    `json:"detail,omitempty"`
	Identity string    `json:"identity,omitempty"`
}

// Counts returns how long an approval counts after its end: a denial counts as long as the
// approval could have waited.
func (p *Approval) Counts() time.Duration { return p.Expires.Sub(p.Asked) }

// ForEvent reports whether an event asked for the act. No strategy proposes it again.
func (p *Approval) ForEvent() bool { return p.Trigger.Event != nil }

// Expire returns the change that ends an approval whose time is over.
func (p Approval) Expire(now time.Time) ApprovalChange {
	from := p.State
	p.State, p.Ended, p.Detail = ApprovalExpired, now, "nobody answered in time"
	if from == ApprovalApproved {
		p.Detail = "approved, and it could not be done in time"
		if p.Held != "" {
			p.Detail += ": " + p.Held
		}
	}
	return ApprovalChange{Approval: p, From: from}
}

// Lapse returns the change that ends an approval whose act is no longer wanted.
func (p Approval) Lapse(now time.Time, detail string) ApprovalChange {
	from := p.State
	p.State, p.Ended, p.Detail, p.Held = ApprovalLapsed, now, detail, ""
	return ApprovalChange{Approval: p, From: from}
}

// HoldBack returns the change that records what keeps an approved act from beginning; none
// where the approval says so already.
func (p Approval) HoldBack(by string) []ApprovalChange {
	if by == "" || by == p.Held {
		return nil
	}
	p.Held = by
	return []ApprovalChange{{Approval: p, From: ApprovalApproved}}
}

// Rebase returns the change of an open approval that was requested while the clock was
// ahead: it waits as long as it was to, from now on. It reports whether there is a change.
func (p Approval) Rebase(now time.Time) (ApprovalChange, bool) {
	if p.State.Ended() || !p.Asked.After(now) {
		return ApprovalChange{}, false
	}
	from := p.State
	p.Asked, p.Expires = now, now.Add(p.Counts())
	p.Decided = NotAfter(p.Decided, now)
	return ApprovalChange{Approval: p, From: from}, true
}

// Refusal returns the decision on the proposal of an approval that ends without an act.
func (p *Approval) Refusal(why string) Decision {
	return Decision{
		Target: p.Target, Strategy: p.Strategy, Primitive: p.Primitive, With: p.With, Reason: p.Reason, Because: p.Because,
		Verdict: Refused, By: "guards.approval", Detail: why, Approval: p.Answer(),
	}
}

// Answer returns the approval as a decision refers to it.
func (p *Approval) Answer() *Answer {
	return &Answer{ID: p.ID, State: p.State, By: p.By, Why: p.Why, Decided: p.Decided, Expires: p.Expires}
}

// Answer is the state of an approval when a decision was made that rests on it.
type Answer struct {
	// ID is the approval's.
	ID string `json:"id"`
	// State is waiting, approved or denied.
	State ApprovalState `json:"state"`
	// By, Why and Decided are the person's.
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	// Expires is the time at which the approval expires.
	Expires time.Time `json:"expires"`
}

// String describes the answer to a person, on one line; "" for nil.
func (a *Answer) String() string {
	switch {
	case a == nil:
		return ""
	case a.State == ApprovalWaiting:
		return fmt.Sprintf("waits for a person until %s: %s", a.Expires.UTC().Format(time.RFC3339), a.ID)
	}
	why := ""
	if a.Why != "" {
		why = fmt.Sprintf(", %q", a.Why)
	}
	return fmt.Sprintf("%s by %s at %s%s: %s", a.State, a.By, a.Decided.UTC().Format(time.RFC3339), why, a.ID)
}

// ApprovalChange writes an approval if its stored state is From; "" where it must not be
// stored yet.
type ApprovalChange struct {
	Approval Approval
	From     ApprovalState
}

// ErrApprovalState is wrapped where an approval is not in the state that a change expects:
// somebody else changed it first.
var ErrApprovalState = errors.New("the approval is not in that state any more")

// ErrNoApproval is wrapped where no approval has the id.
var ErrNoApproval = errors.New("there is no approval of that id")

// ApprovalStore is the durable store of approvals. A firing's record has changes too
// (FiringRecord.Approvals): there an ErrApprovalState refuses the whole firing.
type ApprovalStore interface {
	// Approvals returns the approvals of an agent ("" means all) that have not ended, and
	// those that ended since a time, oldest first.
	Approvals(ctx context.Context, agent string, since time.Time) ([]Approval, error)
	// ApprovalsWaiting counts those that wait for a person and have not expired by now.
	// Each scrape calls it.
	ApprovalsWaiting(ctx context.Context, now time.Time) (int, error)
	// Approval returns one; ErrNoApproval where there is none.
	Approval(ctx context.Context, id string) (Approval, error)
	// SaveApproval writes a change; ErrApprovalState where it comes too late.
	SaveApproval(ctx context.Context, c ApprovalChange) error
}
