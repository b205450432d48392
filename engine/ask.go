package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A proposal of a verb under guards.approval waits for a person. The same proposal at
// the next firing finds the question that is asked already. Once a person approved,
// the world is looked at a second time: secondlook.go.

// DefaultApprovalExpiry is how long a question stands, and a denial holds.
const DefaultApprovalExpiry = 24 * time.Hour

// approvalsBack is how far back ended approvals are read at a start, beyond what is
// kept of them.
const approvalsBack = time.Minute

// ApprovalRequested is the type of the notice that a person is asked.
const ApprovalRequested = "dev.scanflow.approval.requested"

// asked is an agent's questions to persons, the last of each proposal by its key. The
// agent's mutex guards it.
type asked struct {
	by map[string]Approval
	// looked is when one was last dealt with and could not be ended, by id.
	looked map[string]glance
	// heard says that what was answered before the agent could be reached is known.
	heard bool
	// staged are the changes of the firing that is under way.
	staged []ApprovalChange
	// looking is the approved one that this firing is the second look at.
	looking *Approval
}

// take takes in how an approval stands, unless what is known is newer: a person may
// answer while the journal is read.
func (s *asked) take(p Approval, now time.Time) {
	p.Decided, p.Ended = past(p.Decided, now), past(p.Ended, now)
	was, known := s.by[p.Key]
	switch {
	case known && was.ID == p.ID && was.State.stage() > p.State.stage():
		return
	case known && was.ID != p.ID && was.Asked.After(p.Asked) && !was.Asked.After(now):
		return
	case s.by == nil:
		s.by = map[string]Approval{}
	}
	s.by[p.Key] = p
	if p.State.Ended() {
		delete(s.looked, p.ID)
	}
}

// put is the question that this firing puts about a proposal already.
func (s *asked) put(key string) (Approval, bool) {
	for _, c := range s.staged {
		if c.From == "" && c.Approval.Key == key {
			return c.Approval, true
		}
	}
	return Approval{}, false
}

// approvalsSince is since when ended approvals count: a denial holds for as long as a
// question stands, and an act that a crash left open is settled for so long.
func (a *agent) approvalsSince(now time.Time) time.Time {
	return now.Add(-max(a.approvalExpiry(), tooLate))
}

// recallApprovals takes in what the journal has, oldest first. The mutex is held.
func (a *agent) recallApprovals(list []Approval, now time.Time) {
	for _, p := range list {
		a.asked.take(p, now)
	}
}

// hear takes in what was answered between the reading of the memory and the moment from
// which the agent can be told.
func (a *agent) hear(ctx context.Context) {
	a.mu.Lock()
	waits := slices.ContainsFunc(slices.Collect(maps.Values(a.asked.by)), func(p Approval) bool { return p.State == ApprovalWaiting })
	a.mu.Unlock()
	var list []Approval
	if waits {
		var err error
		if list, err = a.host.Journal.Approvals(ctx, a.name, a.approvalsSince(a.host.Clock.Now())); err != nil {
			a.log.Error("answers of persons can't be read yet", "error", err)
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recallApprovals(list, a.host.Clock.Now())
	a.asked.heard = true
}

// approvalKey names a proposal whichever firing makes it. What an event asks for is that
// event's.
func (c *candidate) approvalKey() string {
	if c.ofEvent {
		return Identity(c.Proposal, "approval/"+c.slot.doc.Trigger.Event.name())
	}
	return anyApprovalKey(c.Proposal)
}

func anyApprovalKey(p Proposal) string { return Identity(p, "approval") }

// about reports whether a question is about a candidate. One that was put before questions
// were of an event is about the event that it was put for.
func (p *Approval) about(c *candidate) bool {
	return p.Key == c.approvalKey() || p.Key == anyApprovalKey(c.Proposal)
}

func (a *agent) approvalExpiry() time.Duration {
	if e := a.spec.Guards.ApprovalExpiry; e > 0 {
		return e
	}
	return DefaultApprovalExpiry
}

// ask lets through what a person approved, and puts the question where nobody was
// asked yet.
func (a *agent) ask(c *candidate, now time.Time) {
	key := c.approvalKey()
	if p := a.asked.looking; p != nil && p.about(c) { // though the verb may wait for nobody any more
		c.approval = p
		return
	}
	if !slices.Contains(a.spec.Guards.Approval, c.Primitive) {
		return
	}
	wait := func(on *Answer, how string) {
		c.decision.Verdict, c.decision.By, c.decision.Approval = Waiting, "guards.approval", on
		c.decision.Detail = c.change.Diff + ": " + how
	}
	if a.spec.Mode == DryRun {
		wait(nil, "would wait for a person")
		return
	}
	was, known := a.asked.put(key)
	if !known {
		was, known = a.asked.by[key]
	}
	switch {
	case known && was.State == ApprovalApproved && was.Held != "":
		wait(was.answer(), "held back ("+was.Held+") and looked at again, "+was.answer().String())
	case known && was.State == ApprovalApproved:
		wait(was.answer(), "about to be looked at again, "+was.answer().String())
	case known && was.State == ApprovalWaiting && now.Before(was.Expires):
		wait(was.answer(), was.answer().String())
	case known && was.State == ApprovalDenied && now.Before(was.Decided.Add(min(a.approvalExpiry(), was.Counts()))):
		c.refuse("guards.approval", "%s", was.answer())
		c.decision.Approval = was.answer()
	default:
		if known && was.State == ApprovalWaiting { // this firing found it expired before the loop did
			a.asked.staged = append(a.asked.staged, was.expired(now))
		}
		p := a.question(c, key, now)
		a.asked.staged = append(a.asked.staged, ApprovalChange{Approval: p})
		wait(p.answer(), p.answer().String())
	}
}

// use has an approval used up by the act that is admitted.
func (a *agent) use(c *candidate, now time.Time) {
	if c.approval == nil {
		return
	}
	used := *c.approval
	used.State, used.Ended, used.Identity, used.Held = ApprovalUsed, now, c.Identity, ""
	a.asked.staged = append(a.asked.staged, ApprovalChange{Approval: used, From: ApprovalApproved})
	c.decision.Detail += fmt.Sprintf(" (%s)", c.decision.Approval)
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
		if by := q.Trigger.Event; by != nil {
			e.Hops = by.Hops + 1
		}
		if e.Hops > MaxHops { // who is told asks again, in a circle
			a.log.Warn("nobody is told of a question: it has come through too many events", "approval", q.ID, "hops", e.Hops)
			continue
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
		a.asked.take(c.Approval, a.host.Clock.Now())
	}
}

// refusedApprovals has what the journal knows count, where it refused a firing because
// somebody else was first.
func (a *agent) refusedApprovals(ctx context.Context, changes []ApprovalChange, err error) {
	if !errors.Is(err, ErrApprovalState) {
		return
	}
	for _, c := range changes {
		if c.From != "" {
			a.reread(ctx, c.Approval.ID)
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

// save writes a change that comes with no firing; the end of what an event asked for gets one
// of its own. Where somebody else was first, or the journal failed, what the journal has
// counts.
func (a *agent) save(ctx context.Context, c ApprovalChange) {
	a.mu.Lock()
	a.asked.wait(c.Approval.ID, a.host.Clock.Now())
	a.mu.Unlock()
	var err error
	if c.Approval.ofEvent() && c.Approval.State.Ended() {
		before := c.Approval
		before.State = c.From
		err = a.host.endQuestion(ctx, before, c.Approval, a.spec.Mode)
	} else {
		err = a.host.Journal.SaveApproval(ctx, c)
	}
	if err != nil && !errors.Is(err, ErrApprovalState) {
		a.log.Error("approval not written", "approval", c.Approval.ID, "error", err)
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
	a.asked.take(p, a.host.Clock.Now())
}

// Approvals lists the questions of an agent, "" for all, that have not ended, and those
// that ended since a time. Those of an agent that does not run, as its spec is wrong, are
// ended by nobody: past their time they count as expired.
func (h *Host) Approvals(ctx context.Context, agent string, since time.Time) ([]Approval, error) {
	list, err := h.Journal.Approvals(ctx, agent, since)
	now := h.Clock.Now()
	for i, p := range list {
		if !p.State.Ended() && !now.Before(p.Expires) {
			list[i] = p.expired(p.Expires).Approval
		}
	}
	return slices.DeleteFunc(list, func(p Approval) bool { return p.State.Ended() && p.Ended.Before(since) }), err
}

// Decide writes what a person said of an approval, and has the agent look at it.
func (h *Host) Decide(ctx context.Context, id string, approve bool, by, why string) (Approval, error) {
	p, err := h.Journal.Approval(ctx, id)
	if err != nil {
		return p, err
	}
	now := h.Clock.Now()
	switch {
	case p.State != ApprovalWaiting && p.By != "":
		return p, fmt.Errorf("%s is %s, answered by %s at %s: %w", id, p.State, p.By, p.Decided.UTC().Format(time.RFC3339), ErrApprovalState)
	case p.State != ApprovalWaiting:
		return p, fmt.Errorf("%s is %s: %w", id, p.State, ErrApprovalState)
	case !now.Before(p.Expires):
		return p, fmt.Errorf("%s expired at %s: %w", id, p.Expires.UTC().Format(time.RFC3339), ErrApprovalState)
	}
	p.State, p.By, p.Why, p.Decided = ApprovalApproved, Clip(by), Clip(why), now
	if !approve {
		p.State, p.Ended = ApprovalDenied, now
	}
	if before := p; !approve && p.ofEvent() {
		before.State = ApprovalWaiting
		err = h.endQuestion(ctx, before, p, Enforce)
	} else {
		err = h.Journal.SaveApproval(ctx, ApprovalChange{Approval: p, From: ApprovalWaiting})
	}
	if err != nil && !h.wrote(ctx, p) {
		return p, err
	}
	h.mu.Lock()
	r := h.agents[p.Agent]
	h.mu.Unlock()
	if r != nil {
		r.agent.answered(p)
	}
	return p, err
}

// wrote tells whether an answer is in the journal though writing it came back with an
// error, such as that nobody waited for its end.
func (h *Host) wrote(ctx context.Context, p Approval) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), concludeDeadline)
	defer cancel()
	there, err := h.Journal.Approval(ctx, p.ID)
	return err == nil && there.State == p.State && there.By == p.By && there.Decided.Equal(p.Decided)
}

// answered takes in what a person said, and wakes the loop.
func (a *agent) answered(p Approval) {
	a.mu.Lock()
	a.asked.take(p, a.host.Clock.Now())
	a.mu.Unlock()
	a.signal()
}
