package engine

import (
	"context"
	"time"
)

// A question ends by an answer, in time, or with its agent. The end of one about what an
// event asked for has a firing of its own: nothing proposes that again.

// expired is the change that ends a question that stands no longer.
func (p Approval) expired(now time.Time) ApprovalChange {
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

// endQuestion ends a question, with a firing of its own that says so.
func (h *Host) endQuestion(ctx context.Context, p, ended Approval, mode Mode) error {
	id, err := h.Journal.NextFiring(ctx)
	if err != nil {
		return err
	}
	d := p.ends(ended.Detail)
	if ended.State == ApprovalDenied {
		d.Approval = ended.answer()
		d.Detail = d.Approval.String()
	}
	rec := FiringRecord{
		ID: id, Agent: p.Agent, Mode: mode, At: h.Clock.Now(), Trigger: TriggerInfo{Name: p.Trigger.Name, Kind: p.Trigger.Kind, Approval: p.ID},
		Approvals: []ApprovalChange{{Approval: ended, From: p.State}}, Decisions: []Decision{d},
	}
	if err := h.Journal.RecordFiring(ctx, rec); err != nil {
		return err
	}
	h.Observer.Fired(rec)
	return nil
}

// ends is the decision on what was asked about, which comes to nothing.
func (p *Approval) ends(why string) Decision {
	return Decision{
		Target: p.Target, Strategy: p.Strategy, Primitive: p.Primitive, With: p.With, Reason: p.Reason, Because: p.Because,
		Verdict: Refused, By: "guards.approval", Detail: why, Approval: p.answer(),
	}
}

// lapsed are the decisions on what an event asked for and a second look did not find.
func lapsed(changes []ApprovalChange, candidates []*candidate) (out []Decision) {
	for _, c := range changes {
		if p := c.Approval; p.State == ApprovalLapsed && p.ofEvent() && len(candidates) == 0 {
			out = append(out, p.ends(p.Detail))
		}
	}
	return out
}

// ofEvent reports whether a question is about what an event asked for, which nothing asks
// for again.
func (p *Approval) ofEvent() bool { return p.Trigger.Event != nil }
