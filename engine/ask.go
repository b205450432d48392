package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A proposal of a verb under guards.approval waits for a person. The same proposal at
// the next firing finds the question that is asked already. Once a person approved,
// the world is looked at a second time: the strategies are asked again with the trigger
// of then and the signals of now, and only what comes out as it was approved is done,
// through every other guard.

// DefaultApprovalExpiry is how long a question stands, and a denial holds.
const DefaultApprovalExpiry = 24 * time.Hour

const (
	// lookAgain is when an approved act that a guard held back is looked at again.
	lookAgain = 5 * time.Second
	// approvalsBack is how far back ended approvals are read at a start, beyond what a
	// denial holds.
	approvalsBack = time.Minute
)

// ApprovalRequested is the type of the notice that a person is asked.
const ApprovalRequested = "dev.scanflow.approval.requested"

// asked is an agent's questions to persons, the last of each proposal by its key. The
// agent's mutex guards it.
type asked struct {
	by map[string]Approval
	// looked is when an approved one was last looked at again, by id.
	looked map[string]time.Time
	// staged are the changes of the firing that is under way.
	staged []ApprovalChange
	// looking is the approved one that this firing is the second look at.
	looking *Approval
}

// recallApprovals takes in what an earlier life asked.
func (a *agent) recallApprovals(list []Approval) {
	a.asked.by = map[string]Approval{}
	for _, p := range list { // oldest first
		a.asked.by[p.Key] = p
	}
}

// approvalKey names a proposal whichever firing makes it.
func approvalKey(p Proposal) string { return Identity(p, "approval") }

func (a *agent) approvalExpiry() time.Duration {
	if e := a.spec.Guards.ApprovalExpiry; e > 0 {
		return e
	}
	return DefaultApprovalExpiry
}

// ask lets through what a person approved, and puts the question where nobody was
// asked yet.
func (a *agent) ask(c *candidate, now time.Time) {
	if !slices.Contains(a.spec.Guards.Approval, c.Primitive) {
		return
	}
	wait := func(format string, args ...any) {
		c.decision.Verdict, c.decision.By = Waiting, "guards.approval"
		c.decision.Detail = c.change.Diff + ": " + fmt.Sprintf(format, args...)
	}
	if a.spec.Mode == DryRun {
		wait("would wait for a person")
		return
	}
	key := approvalKey(c.Proposal)
	was, known := a.asked.by[key]
	switch {
	case known && was.State == ApprovalApproved && a.asked.looking != nil && a.asked.looking.ID == was.ID:
		was.State, was.Ended, was.Identity = ApprovalUsed, now, c.Identity
		a.asked.staged = append(a.asked.staged, ApprovalChange{Approval: was, From: ApprovalApproved})
		c.decision.Detail += fmt.Sprintf(" (approved by %s: %s)", was.By, was.ID)
	case known && was.State == ApprovalApproved:
		wait("approved by %s, and about to be looked at again: %s", was.By, was.ID)
	case known && was.State == ApprovalWaiting && now.Before(was.Expires):
		wait("waits for a person until %s: %s", was.Expires.UTC().Format(time.RFC3339), was.ID)
	case known && was.State == ApprovalDenied && now.Before(was.Decided.Add(a.approvalExpiry())):
		c.refuse("guards.approval", "denied by %s at %s: %s", was.By, was.Decided.UTC().Format(time.RFC3339), was.ID)
	default:
		p := a.question(c, key, now)
		a.asked.staged = append(a.asked.staged, ApprovalChange{Approval: p})
		wait("waits for a person until %s: %s", p.Expires.UTC().Format(time.RFC3339), p.ID)
	}
}

func (a *agent) question(c *candidate, key string, now time.Time) Approval {
	because := make([]string, len(c.Because))
	for i, e := range c.Because {
		because[i] = e.String()
	}
	id := sha256.Sum256([]byte(key + c.Identity))
	return Approval{
		ID: hex.EncodeToString(id[:5]), Key: key, Agent: a.name, Target: c.Target.ID(), Strategy: c.Strategy, Primitive: c.Primitive, With: c.With,
		Reason: c.Reason, Because: because, Diff: c.change.Diff, Trigger: *c.slot.doc.Trigger, Asked: now, Expires: now.Add(a.approvalExpiry()), State: ApprovalWaiting,
	}
}

// notices are the postings that tell of new questions.
func (a *agent) notices(changes []ApprovalChange) []Posting {
	var out []Posting
	for _, c := range changes {
		if c.From != "" {
			continue
		}
		q := c.Approval
		e := Event{
			ID: "approval-" + q.ID, Source: AgentSource + a.name, Type: ApprovalRequested, Subject: q.Target.String(), Time: q.Asked, Sender: a.name,
			Data: map[string]any{
				"id": q.ID, "agent": q.Agent, "target": q.Target.String(), "strategy": q.Strategy, "primitive": q.Primitive, "with": q.With,
				"reason": q.Reason, "diff": q.Diff, "expires": q.Expires.UTC().Format(time.RFC3339),
			},
		}
		p := Posting{Event: e}
		p.Agents, _ = a.host.takersOf(&e)
		for _, peer := range a.host.Peers {
			p.To = append(p.To, Destination{URL: peer})
		}
		if to := a.spec.Guards.ApprovalNotify; to != "" && a.host.Courier != nil {
			p.To = append(p.To, Destination{URL: to, Agent: a.name})
		}
		if len(p.Agents)+len(p.To) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// approvals are what a firing changes of the questions to persons.
func (a *agent) approvals(candidates []*candidate, slots []*slot, firing string, now time.Time) []ApprovalChange {
	changes := append(a.asked.staged, a.lapse(candidates, slots, now)...)
	a.asked.staged = nil
	for i := range changes {
		if changes[i].From == "" {
			changes[i].Approval.Firing = firing
		}
	}
	return changes
}

// settledApprovals takes in what a firing that is recorded changed.
func (a *agent) settledApprovals(changes []ApprovalChange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range changes {
		a.asked.by[c.Approval.Key] = c.Approval
		if c.Approval.State.Ended() {
			delete(a.asked.looked, c.Approval.ID)
		}
	}
}

// approved tells whether a person approved the act of an identity.
func (a *agent) approved(identity string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.asked.by {
		if p.State == ApprovalUsed && p.Identity == identity {
			return true
		}
	}
	return false
}

// nextLook is when an approval has to be looked at next: one that a person approved, or
// one that expires.
func (a *agent) nextLook() (at time.Time, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.asked.by {
		if p.State.Ended() {
			continue
		}
		due := p.Expires
		if last, looked := a.asked.looked[p.ID]; p.State == ApprovalApproved && (!looked || last.Add(lookAgain).Before(due)) {
			due = last.Add(lookAgain) // at once where it wasn't looked at yet
		}
		if !any || due.Before(at) {
			at, any = due, true
		}
	}
	return at, any
}

// look deals with the approvals that are due.
func (a *agent) look(ctx context.Context) {
	if !a.remembers || a.spec.Mode == Paused {
		return
	}
	now := a.host.Clock.Now()
	a.mu.Lock()
	var due []Approval
	for _, p := range a.asked.by {
		last, looked := a.asked.looked[p.ID]
		if p.State == ApprovalApproved && (!looked || !now.Before(last.Add(lookAgain))) || !p.State.Ended() && !now.Before(p.Expires) {
			due = append(due, p)
		}
	}
	a.mu.Unlock()
	slices.SortFunc(due, func(x, y Approval) int { return strings.Compare(x.ID, y.ID) })
	for _, p := range due {
		switch {
		case ctx.Err() != nil:
			return
		case !now.Before(p.Expires):
			a.expire(ctx, p, now)
		default:
			a.second(ctx, p, now)
		}
	}
}

func (a *agent) expire(ctx context.Context, p Approval, now time.Time) {
	from := p.State
	p.State, p.Ended, p.Detail = ApprovalExpired, now, "nobody answered in time"
	if from == ApprovalApproved {
		p.Detail = "it could not be done in time: " + p.Detail
	}
	a.save(ctx, ApprovalChange{Approval: p, From: from})
}

// save writes a change that comes with no firing. Where somebody else was first, or the
// journal failed, what the journal has counts.
func (a *agent) save(ctx context.Context, c ApprovalChange) {
	err := a.host.Journal.SaveApproval(ctx, c)
	if err != nil && !errors.Is(err, ErrApprovalState) {
		a.log.Error("approval not written", "approval", c.Approval.ID, "error", err)
		a.mu.Lock()
		a.asked.wait(c.Approval.ID, a.host.Clock.Now())
		a.mu.Unlock()
		return
	}
	a.reread(ctx, c.Approval.ID)
}

// reread takes in how an approval stands in the journal.
func (a *agent) reread(ctx context.Context, id string) {
	p, err := a.host.Journal.Approval(ctx, id)
	if err != nil {
		a.log.Error("approval can't be read", "approval", id, "error", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now, known := a.asked.by[p.Key]; !known || now.ID == p.ID || now.Asked.Before(p.Asked) {
		a.asked.by[p.Key] = p
	}
}

func (s *asked) wait(id string, now time.Time) {
	if s.looked == nil {
		s.looked = map[string]time.Time{}
	}
	s.looked[id] = now
}

// second is the second look at the world before a late approval acts.
func (a *agent) second(ctx context.Context, p Approval, now time.Time) {
	a.mu.Lock()
	a.asked.wait(p.ID, now)
	a.asked.looking = &p
	a.mu.Unlock()
	trigger := p.Trigger
	trigger.Approval = p.ID
	a.fire(ctx, trigger, 0)
	a.mu.Lock()
	a.asked.looking = nil
	a.mu.Unlock()
}

// only leaves the candidates that a second look is about. What else the strategies
// propose now is for the next firing.
func (a *agent) only(candidates []*candidate) []*candidate {
	p := a.asked.looking
	if p == nil {
		return candidates
	}
	return slices.DeleteFunc(candidates, func(c *candidate) bool {
		return c.Target.ID() != p.Target || c.Primitive != p.Primitive || c.Strategy != p.Strategy || approvalKey(c.Proposal) != p.Key
	})
}

// lapse ends an approval whose second look did not find what was approved: no longer
// proposed, or so already. One that a guard or a failing signal holds back is looked at
// again.
func (a *agent) lapse(candidates []*candidate, slots []*slot, now time.Time) []ApprovalChange {
	p := a.asked.looking
	if p == nil {
		return nil
	}
	end := func(detail string) []ApprovalChange {
		ended := *p
		ended.State, ended.Ended, ended.Detail = ApprovalLapsed, now, detail
		return []ApprovalChange{{Approval: ended, From: ApprovalApproved}}
	}
	if len(candidates) > 0 {
		if c := candidates[0]; c.decision.Verdict == Unchanged {
			return end("nothing was left to change: " + c.decision.Detail)
		}
		return nil
	}
	i := slices.IndexFunc(slots, func(s *slot) bool { return s.doc.Target.ID() == p.Target })
	if i < 0 {
		return end("its target is not there any more")
	}
	for _, signal := range p.Because { // one that is to be absent ("load:empty") says nothing by being so
		if j := slices.Index(a.names, signal); j >= 0 && slots[i].doc.Signals[j].State != OK {
			return nil // nothing can be said of the world
		}
	}
	return end(p.Strategy + " does not propose it any more")
}

// Decide writes what a person said of an approval, and has the agent look at it.
func (h *Host) Decide(ctx context.Context, id string, approve bool, by, why string) (Approval, error) {
	p, err := h.Journal.Approval(ctx, id)
	if err != nil {
		return p, err
	}
	now := h.Clock.Now()
	switch {
	case p.State != ApprovalWaiting:
		return p, fmt.Errorf("%s is %s: %w", id, p.State, ErrApprovalState)
	case !now.Before(p.Expires):
		return p, fmt.Errorf("%s expired at %s: %w", id, p.Expires.UTC().Format(time.RFC3339), ErrApprovalState)
	}
	p.State, p.By, p.Why, p.Decided = ApprovalApproved, by, why, now
	if !approve {
		p.State, p.Ended = ApprovalDenied, now
	}
	if err := h.Journal.SaveApproval(ctx, ApprovalChange{Approval: p, From: ApprovalWaiting}); err != nil {
		return p, err
	}
	h.mu.Lock()
	r := h.agents[p.Agent]
	h.mu.Unlock()
	if r != nil {
		r.agent.answered(p)
	}
	return p, nil
}

// answered takes in what a person said, and wakes the loop.
func (a *agent) answered(p Approval) {
	a.mu.Lock()
	if a.asked.by != nil {
		a.asked.by[p.Key] = p
	}
	a.mu.Unlock()
	a.signal()
}
