package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// An event of whose acts a guard refuses some is not lost:
//
//	inbox -> a firing -> handled                       its acts are admitted, or none is proposed
//	          ^    \ \-> dead letter, with the reason  a guard refuses one
//	          |     \
//	          +-- waits, behind the others             a guard refuses one, and the trigger says wait
//
// Each refusal is a row too. Acts that were admitted already are not done again, whenever
// the event is looked at next.

// Held is kept with an event that was held back.
type Held struct {
	// Firing is the one that handled the event first. What identifies the acts of the
	// event is made from it, however often the event is looked at.
	Firing string `json:"firing"`
	// Acts are the identities of those that were admitted.
	Acts []string `json:"acts,omitempty"`
	// Since is when the event began to wait, At when it was last looked at, and Until when
	// it is next: zero times for a dead letter.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Why has the guards' reasons, for a person.
	Why string `json:"why,omitempty"`
	// Looks is how often it was looked at since it waits.
	Looks int `json:"looks,omitempty"`
	// Refusals is a hash of what was refused, by whom.
	Refusals string `json:"refusals,omitempty"`
}

// Holding says how an event goes on of which a firing did not do all: as a dead letter, or waiting.
type Holding struct {
	// Event is the event to keep, with Held set.
	Event Event
	// Dead makes it a dead letter. Else it waits, behind all others of its inbox.
	Dead bool
	// Why is for a person.
	Why string
}

const (
	// holdLook and holdLooks bound the pauses between two looks at an event that waits,
	// where nobody can say when the guard lets it pass. They double in between.
	holdLook  = time.Second
	holdLooks = 30 * time.Second
	// heldMost is how many events of one agent may wait for a guard. What would be more
	// becomes a dead letter.
	heldMost = 1000
)

// base returns the firing from whose id the identities of the acts are made.
func (t *TriggerInfo) base(firing string) string {
	if t.Held != nil {
		return t.Held.Firing
	}
	return firing
}

// ofEvent reports whether the firing handles an event: not where a person let pass what an
// event asked for.
func (t *TriggerInfo) ofEvent() bool { return t.Event != nil && t.Approval == "" }

// did reports whether an act was admitted when the event was looked at before.
func (t *TriggerInfo) did(identity string) bool {
	return t.Held != nil && slices.Contains(t.Held.Acts, identity)
}

// holding says how the trigger's event goes on; nil where it is handled.
func (a *agent) holding(trigger *TriggerInfo, candidates []*candidate, rec *FiringRecord, now time.Time) *Holding {
	if !trigger.ofEvent() || rec.Trigger.Event == nil || a.spec.Mode != Enforce {
		return nil
	}
	refused := refusedFor(candidates)
	if len(refused) == 0 {
		return nil
	}
	before := trigger.Held
	if before == nil {
		before = &Held{}
	}
	next := Held{Firing: trigger.base(rec.ID), Acts: slices.Clone(before.Acts), Refusals: refusals(refused)}
	for _, in := range rec.Intents {
		next.Acts = append(next.Acts, in.Identity)
	}
	out := &Holding{Event: *trigger.Event, Why: whyHeld(refused)}
	out.Event.Held = &next
	since := before.Since
	if since.IsZero() || since.After(now) { // or the clock was set back
		since = now
	}
	ends := since.Add(a.waitOf(trigger.Name))
	switch {
	case !ends.After(now) && since.Equal(now), !slices.ContainsFunc(refused, func(c *candidate) bool { return c.mayPass() }):
		out.Dead = true
	case !ends.After(now):
		out.Dead = true
		out.Why += fmt.Sprintf("; it waited for %s", now.Sub(since).Round(time.Second))
	case len(a.waiting) >= heldMost && before.Since.IsZero():
		out.Dead = true
		out.Why += fmt.Sprintf("; %d events of the agent wait already", heldMost)
	default:
		next.Since, next.At, next.Looks, next.Why = since, now, before.Looks+1, out.Why
		next.Until = nextLookAt(refused, next.Looks, now, ends)
	}
	return out
}

// repeats reports whether a firing found of an event that waits what the last one found.
func (h *Holding) repeats(trigger *TriggerInfo, rec *FiringRecord) bool {
	return h != nil && !h.Dead && trigger.Held != nil && trigger.Held.Refusals == h.Event.Held.Refusals && len(rec.Intents)+len(rec.Approvals) == 0
}

// heldBack notes which events wait, once that is recorded.
func (a *agent) heldBack(e *Event, h *Holding) {
	if e == nil {
		return
	}
	delete(a.waiting, e.name())
	switch {
	case h == nil:
	case h.Dead:
		a.log.Error("event is a dead letter", "event", Echo(e.ID), "type", Echo(e.Type), "error", h.Why)
	default:
		a.waiting[e.name()] = h.Event.Held.Until
		if h.Event.Held.Looks == 1 {
			a.log.Info("event waits", "event", Echo(e.ID), "type", Echo(e.Type), "until", h.Event.Held.Until, "why", h.Why)
		}
	}
}

// nextEvent is the oldest event of the inbox that does not wait for a guard, nil if there
// is none; more says that there is another.
func (a *agent) nextEvent(ctx context.Context) (next *Event, more bool, err error) {
	now := a.host.Clock.Now()
	for limit := 2 + len(a.waiting); ; limit *= 2 {
		events, err := a.host.Journal.Inbox(ctx, a.name, limit)
		if err != nil {
			return nil, false, err
		}
		waiting := map[string]time.Time{}
		for i := range events {
			e := &events[i]
			switch {
			case e.Held.waits(now, a.begun):
				waiting[e.name()] = e.Held.Until
			case next != nil:
				return next, true, nil
			default:
				next = e
			}
		}
		whole := len(events) < limit
		if whole {
			a.waiting = waiting
		}
		if whole || next != nil {
			return next, !whole, nil
		}
	}
}

// waits reports whether an event is not to be looked at yet. One that was put off under a
// clock that has been set back since is, and so is one that was last looked at before its
// agent began: that may have had other guards.
func (h *Held) waits(now, begun time.Time) bool {
	return h != nil && h.Until.After(now) && !h.At.After(now) && !h.At.Before(begun)
}

// nextHeld is when the first event that waits is to be looked at.
func (a *agent) nextHeld() (at time.Time, any bool) {
	for _, until := range a.waiting {
		if !any || until.Before(at) {
			at, any = until, true
		}
	}
	return at, any
}

// ofEvent returns the strategies that read the trigger: their proposals are for its event,
// and those of others are not.
func (a *agent) ofEvent(rev Revision, trigger *TriggerInfo) map[string]bool {
	if trigger.Event == nil {
		return nil
	}
	of := make(map[string]bool, len(a.spec.Strategies))
	for _, strategy := range a.spec.Strategies {
		of[strategy] = rev.Reads([]string{strategy}).Trigger
	}
	return of
}

// refusedFor are the candidates that guards refused of what the event asks for.
func refusedFor(candidates []*candidate) []*candidate {
	var out []*candidate
	for _, c := range candidates {
		if c.ofEvent && c.decision.Verdict == Refused && c.decision.By != "arbiter" {
			out = append(out, c)
		}
	}
	return out
}

// mayPass reports whether a refused candidate may be admitted later, by the same guards.
func (c *candidate) mayPass() bool {
	switch c.decision.By {
	case ByPrimitives, ByBounds, "shape", "guards.urls", "guards.approval":
		return false
	}
	return true
}

// nextLookAt is when an event that waits is looked at again: when the first guard lets it
// pass, if that is known, and when its time is up at the latest.
func nextLookAt(refused []*candidate, looks int, now, ends time.Time) time.Time {
	next := now.Add(min(holdLook<<min(looks-1, 10), holdLooks))
	for _, c := range refused {
		if c.passes.After(now) {
			next = c.passes
			break
		}
	}
	if next.After(ends) {
		return ends
	}
	return next
}

func whyHeld(refused []*candidate) string {
	c := refused[0]
	why := fmt.Sprintf("%s of %s on %s is refused by %s: %s", c.Primitive, c.Strategy, c.Target.ID(), c.decision.By, c.decision.Detail)
	if n := len(refused) - 1; n > 0 {
		why += fmt.Sprintf("; so are %s", others(n))
	}
	return Clip(why)
}

func refusals(refused []*candidate) string {
	h := sha256.New()
	for _, c := range refused {
		_, _ = fmt.Fprintf(h, "%q %q %q %q\n", c.Target.ID(), c.Strategy, c.Primitive, cmp.Or(c.decision.By, "-"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// waitOf is how long the events of a trigger may wait for the guards.
func (a *agent) waitOf(trigger string) time.Duration {
	for i := range a.spec.Triggers {
		if t := &a.spec.Triggers[i]; t.Name == trigger && t.events() != nil {
			return t.Wait
		}
	}
	return 0
}
