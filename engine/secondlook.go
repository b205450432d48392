package engine

import (
	"context"
	"slices"
	"strings"
	"time"
)

// The second look at the world before a late approval acts: the strategies are asked
// again with the trigger of then and the signals of now, and only what comes out as it
// was approved is done, through every other guard.

// lookFirst and lookLast are the pauses until an approved act that a guard held back is
// looked at again, doubled in between: each look samples the whole fleet.
const (
	lookFirst = 5 * time.Second
	lookLast  = time.Minute
)

// glance is the last second look at an approval that could not be ended.
type glance struct {
	at   time.Time
	wait time.Duration // until the next
}

// looks tells whether the agent deals with approvals. A dry run ends none: they are of
// the agent in earnest, and wait for it to be let loose again.
func (a *agent) looks() bool {
	return a.remembers && a.spec.Mode != Paused && a.spec.Mode != DryRun
}

// due is when an approval that has not ended has to be dealt with.
func (s *asked) due(p Approval) time.Time {
	at := p.Expires
	if p.State == ApprovalApproved {
		at = time.Time{} // at once
	}
	if last, looked := s.looked[p.ID]; looked && at.Before(last.at.Add(last.wait)) {
		at = last.at.Add(last.wait)
	}
	return at
}

// nextLook is when an approval has to be looked at next: one that a person approved, or
// one that expires.
func (a *agent) nextLook() (at time.Time, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.looks() {
		return at, false
	}
	for _, p := range a.asked.by {
		if p.State.Ended() {
			continue
		}
		if due := a.asked.due(p); !any || due.Before(at) {
			at, any = due, true
		}
	}
	return at, any
}

// look deals with the approvals that are due, and forgets those that count no more.
func (a *agent) look(ctx context.Context) {
	if !a.looks() {
		return
	}
	now := a.host.Clock.Now()
	a.mu.Lock()
	var due []Approval
	var later []ApprovalChange
	for key, p := range a.asked.by {
		if c, is := p.fromLater(now); is {
			later = append(later, c)
			continue
		}
		switch {
		case p.State.Ended() && p.Ended.Before(a.approvalsSince(now)):
			delete(a.asked.by, key)
		case !p.State.Ended() && !now.Before(a.asked.due(p)):
			due = append(due, p)
		}
	}
	a.mu.Unlock()
	for _, c := range later {
		a.save(ctx, c)
	}
	slices.SortFunc(due, func(x, y Approval) int { return strings.Compare(x.ID, y.ID) })
	for _, p := range due {
		now := a.host.Clock.Now() // those before it took their time
		switch {
		case ctx.Err() != nil:
			return
		case !now.Before(p.Expires):
			a.save(ctx, p.expired(now))
		default:
			a.second(ctx, p, now)
		}
	}
}

func (s *asked) wait(id string, now time.Time) {
	if s.looked == nil {
		s.looked = map[string]glance{}
	}
	s.looked[id] = glance{now, min(max(2*s.looked[id].wait, lookFirst), lookLast)}
}

// second is the second look at one approval.
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
// propose now is for the next firing. One that was refused before the guards clamped it
// may be what was approved.
func (a *agent) only(candidates []*candidate) []*candidate {
	p := a.asked.looking
	if p == nil {
		return candidates
	}
	candidates = slices.DeleteFunc(candidates, func(c *candidate) bool {
		return c.Target.ID() != p.Target || c.Primitive != p.Primitive || c.Strategy != p.Strategy || c.live() && !p.about(c)
	})
	for _, c := range alive(candidates) {
		c.decision.Approval = p.answer()
	}
	return candidates
}

// lapse ends an approval whose second look did not find what was approved: no longer
// proposed, or so already. One that a guard or a failing signal holds back is looked at
// again, and so is one where nothing can be said of the world. Without slots the targets
// could not be listed.
func (a *agent) lapse(candidates []*candidate, slots []*slot, now time.Time) []ApprovalChange {
	p := a.asked.looking
	switch {
	case p == nil:
		return nil
	case slots == nil:
		return p.heldBack("the targets can't be listed, or the strategies not be asked")
	}
	end := func(detail string) []ApprovalChange {
		ended := *p
		ended.State, ended.Ended, ended.Detail, ended.Held = ApprovalLapsed, now, detail, ""
		return []ApprovalChange{{Approval: ended, From: ApprovalApproved}}
	}
	for _, c := range candidates {
		if c.decision.Verdict == Unchanged {
			return end("nothing was left to change: " + c.decision.Detail)
		}
	}
	i := slices.IndexFunc(slots, func(s *slot) bool { return s.doc.Target.ID() == p.Target })
	switch {
	case len(candidates) > 0:
		return p.heldBack(holder(candidates))
	case i < 0:
		return end("its target is not there any more")
	case slots[i].silent(p.Strategy):
		return p.heldBack(p.Strategy + " failed, and said nothing")
	}
	if signal := a.blind(slots[i], p.Because); signal != "" {
		return p.heldBack(signal)
	}
	return end(p.Strategy + " does not propose it any more")
}

// silent tells whether a strategy failed over a target, so that it said nothing.
func (s *slot) silent(strategy string) bool {
	return slices.ContainsFunc(s.problems, func(p Problem) bool { return p.Strategy == strategy || p.Strategy == anyStrategy })
}

// blind is a signal that a proposal rests on ("load", "load:empty") and that is neither in
// that state nor ok, so that it says nothing, with its state; "" where there is none.
func (a *agent) blind(s *slot, because []string) string {
	for _, evidence := range because {
		name, want, _ := strings.Cut(evidence, ":")
		j := slices.Index(a.names, name)
		if j < 0 {
			continue
		}
		if is := &s.doc.Signals[j]; is.State != OK && is.State != State(want) {
			return Clip("the signal " + name + " is " + strings.TrimSuffix(string(is.State)+": "+is.Problem, ": "))
		}
	}
	return ""
}

// holder is what keeps an approved act from being done, of the candidates of a second
// look: the guard, and its reason. "" where it is done.
func holder(candidates []*candidate) string {
	if len(alive(candidates)) > 0 { // two proposals of it were one act
		return ""
	}
	for _, c := range candidates {
		if d := &c.decision; d.Verdict == Refused {
			why := strings.TrimSuffix(d.Detail, " ("+d.Approval.text()+")")
			if !d.byPolicy() { // which says which of them denied
				why = d.By + ": " + why
			}
			return why
		}
	}
	return ""
}

// heldBack is the change that says what holds an approved act back, if that is not said
// already.
func (p *Approval) heldBack(by string) []ApprovalChange {
	if by == "" || by == p.Held {
		return nil
	}
	held := *p
	held.Held = by
	return []ApprovalChange{{Approval: held, From: ApprovalApproved}}
}
