package turn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A proposal of a verb under guards.approval waits for a person. The same proposal at the
// next turn finds the approval that was requested. Once a person approved, a turn rechecks
// the current state: recheck.go.

// approvalKey identifies a proposal whichever firing makes it. What an event asks for has a
// key of that event.
func (c *candidate) approvalKey() string {
	if c.forEvent {
		return engine.Identity(c.Proposal, "approval/"+c.on.doc.Trigger.Event.Key())
	}
	return anyApprovalKey(c.Proposal)
}

func anyApprovalKey(p engine.Proposal) string { return engine.Identity(p, "approval") }

// isAbout reports whether an approval is about a candidate. One of an older version, which
// made no keys of events, is about the event that requested it.
func isAbout(p *engine.Approval, c *candidate) bool {
	return p.Key == c.approvalKey() || p.Key == anyApprovalKey(c.Proposal)
}

// requireApproval lets an approved act pass, and requests an approval where none was
// requested.
func (ad *admission) requireApproval(c *candidate) {
	a := ad.agent
	if p := ad.in.Recheck; p != nil && isAbout(p, c) { // even if the verb needs no approval any more
		c.approval = p
		return
	}
	if !slices.Contains(a.Spec.Guards.Approval, c.Primitive) {
		return
	}
	if a.Spec.Mode == engine.DryRun {
		c.wait(nil, "would wait for a person")
		return
	}
	key, now := c.approvalKey(), ad.now
	last, known := ad.requested(key)
	if !known {
		last, known = a.Approvals.Get(key)
	}
	answer := last.Answer()
	switch {
	case known && last.State == engine.ApprovalApproved && last.Held != "":
		c.wait(answer, "held back ("+last.Held+") and looked at again, "+answer.String())
	case known && last.State == engine.ApprovalApproved:
		c.wait(answer, "about to be looked at again, "+answer.String())
	case known && last.State == engine.ApprovalWaiting && now.Before(last.Expires):
		c.wait(answer, answer.String())
	case known && last.State == engine.ApprovalDenied && now.Before(last.Decided.Add(min(a.Spec.Guards.ExpiryOfApproval(), last.Counts()))):
		c.refuse(byApproval, "%s", answer)
		c.decision.Approval = answer
	default:
		if known && last.State == engine.ApprovalWaiting { // this turn found that it expired before the loop did
			ad.approvals = append(ad.approvals, last.Expire(now))
		}
		p := ad.newApproval(c, key)
		ad.approvals = append(ad.approvals, engine.ApprovalChange{Approval: p})
		c.wait(p.Answer(), p.Answer().String())
	}
}

// wait ends the way of a candidate that waits for a person.
func (c *candidate) wait(on *engine.Answer, how string) {
	c.decision.Verdict, c.decision.By, c.decision.Approval = engine.Waiting, byApproval, on
	c.decision.Detail = how
	if c.change.Diff != "" { // a preview of a document has no plan
		c.decision.Detail = c.change.Diff + ": " + how
	}
}

// requested returns the approval that this turn requests for the same proposal.
func (ad *admission) requested(key string) (engine.Approval, bool) {
	for _, c := range ad.approvals {
		if c.From == "" && c.Approval.Key == key {
			return c.Approval, true
		}
	}
	return engine.Approval{}, false
}

func (ad *admission) newApproval(c *candidate, key string) engine.Approval {
	because := make([]string, len(c.Because))
	for i, e := range c.Because {
		because[i] = e.String()
	}
	id := sha256.Sum256([]byte(key + c.Identity))
	return engine.Approval{
		ID: hex.EncodeToString(id[:5]), Key: key, Agent: ad.agent.name, Target: c.Target.ID(), Strategy: c.Strategy, Primitive: c.Primitive, With: c.With,
		Reason: c.Reason, Because: because, Diff: c.change.Diff, Firing: ad.in.ID, Trigger: *c.on.doc.Trigger, Asked: ad.now,
		Expires: ad.now.Add(ad.agent.Spec.Guards.ExpiryOfApproval()), State: engine.ApprovalWaiting,
	}
}

// useApproval uses up the approval of an admitted act.
func (ad *admission) useApproval(c *candidate) {
	if c.approval == nil {
		return
	}
	used := *c.approval
	used.State, used.Ended, used.Identity, used.Held = engine.ApprovalUsed, ad.now, c.Identity, ""
	ad.approvals = append(ad.approvals, engine.ApprovalChange{Approval: used, From: engine.ApprovalApproved})
	c.decision.Detail += fmt.Sprintf(" (%s)", c.decision.Approval)
}
