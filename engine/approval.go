package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ApprovalState is how a question to a person stands.
//
//	waiting ----> approved ----> used       the act began
//	   |  \           \
//	   |   \           +-------> lapsed     the second look found it no longer wanted
//	   |    +--> denied           \         (a waiting one too, if its agent is gone)
//	   +-------> expired  <--------+ (expired: nobody answered, or the world never let it)
type ApprovalState string

const (
	ApprovalWaiting  ApprovalState = "waiting"
	ApprovalApproved ApprovalState = "approved"
	ApprovalDenied   ApprovalState = "denied"
	ApprovalExpired  ApprovalState = "expired"
	ApprovalLapsed   ApprovalState = "lapsed"
	ApprovalUsed     ApprovalState = "used"
)

// Ended tells whether nothing comes after the state.
func (s ApprovalState) Ended() bool { return s != ApprovalWaiting && s != ApprovalApproved }

// stage is how far an approval has come: no state leads to one of a lower stage.
func (s ApprovalState) stage() int {
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
	// Diff is what would change, as planned when it was asked for.
	Diff string `json:"diff"`
	// Firing and Trigger are those that asked; the second look has the same trigger.
	Firing  string        `json:"firing"`
	Trigger TriggerInfo   `json:"trigger"`
	Asked   time.Time     `json:"asked"`
	Expires time.Time     `json:"expires"`
	State   ApprovalState `json:"state"`
	// By, Why and Decided are the person's, for approved and denied, and stay.
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	// Held is what held the approved act back when it was last looked at, for a person: the
	// guard, and its reason. "" where nothing has.
	Held string `json:"held,omitempty"`
	// Ended is when it came to its end, Detail how, for a person, and Identity the act
	// that it was used for.
	Ended    time.Time `json:"ended,omitzero"`
	Detail   string    `json:"detail,omitempty"`
	Identity string    `json:"identity,omitempty"`
}

// Counts is how long an approval counts after its end: a denial holds for as long as its
// question was to stand.
func (p *Approval) Counts() time.Duration { return p.Expires.Sub(p.Asked) }

// Answer is how the question to a person stood when a decision was made that rests on it.
type Answer struct {
	// ID is the approval's.
	ID string `json:"id"`
	// State is waiting, approved or denied.
	State ApprovalState `json:"state"`
	// By, Why and Decided are the person's.
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	// Expires is until when the question stands.
	Expires time.Time `json:"expires"`
}

func (p *Approval) answer() *Answer {
	return &Answer{ID: p.ID, State: p.State, By: p.By, Why: p.Why, Decided: p.Decided, Expires: p.Expires}
}

// text is String, "" where there is no question.
func (a *Answer) text() string {
	if a == nil {
		return ""
	}
	return a.String()
}

// String is for a person, on one line whatever was given as the reason.
func (a *Answer) String() string {
	if a.State == ApprovalWaiting {
		return fmt.Sprintf("waits for a person until %s: %s", a.Expires.UTC().Format(time.RFC3339), a.ID)
	}
	why := ""
	if a.Why != "" {
		why = fmt.Sprintf(", %q", a.Why)
	}
	return fmt.Sprintf("%s by %s at %s%s: %s", a.State, a.By, a.Decided.UTC().Format(time.RFC3339), why, a.ID)
}

// ApprovalChange writes an approval if it is in the state From, "" where it must
// not be there yet.
type ApprovalChange struct {
	Approval Approval
	From     ApprovalState
}

// ErrApprovalState is wrapped where an approval is not in the state that a change
// expects: somebody else was first.
var ErrApprovalState = errors.New("the approval is not in that state any more")

// ErrNoApproval is wrapped where there is no approval of an id.
var ErrNoApproval = errors.New("there is no approval of that id")

// Approvals is the durable part of approvals. Changes also come with a firing
// (FiringRecord.Approvals): there an ErrApprovalState refuses the whole firing.
type Approvals interface {
	// Approvals returns those of an agent, "" for all, that have not ended, and those
	// that ended since a time, oldest first.
	Approvals(ctx context.Context, agent string, since time.Time) ([]Approval, error)
	// ApprovalsWaiting is how many wait for a person, and have not expired by now. It is
	// asked at each scrape.
	ApprovalsWaiting(ctx context.Context, now time.Time) (int, error)
	// Approval returns one; ErrNoApproval where there is none.
	Approval(ctx context.Context, id string) (Approval, error)
	// SaveApproval writes a change; ErrApprovalState where it comes too late.
	SaveApproval(ctx context.Context, c ApprovalChange) error
}
