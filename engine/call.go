package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// An act that is a request to an address (`webhook`) is delivered by the outbox, as events
// are:
//
//	admitted -> in the outbox -> answered             done
//	                ^   |  \---> refused for good      failed
//	                |   |  \---> not answered in time  failed
//	                +---+ tried again, later each time, and not before Retry-After
//
// It is running until then. No goroutine waits for it, and no stop does: the next start
// goes on with it. One that failed and that nobody proposes again is a dead letter.

// CallType is the type of what a call looks like among events.
const CallType = "webhook"

// Call is set of what is no event, but the request of an act: Data is its body, ID the
// act's identity.
type Call struct {
	// For is how long it is tried, from when it was queued.
	For time.Duration `json:"for_ns"`
	// Letter makes it a dead letter where it fails: nobody proposes it again.
	Letter bool `json:"letter,omitempty"`
}

// Terms say how the outbox delivers an act.
type Terms struct {
	Call
	// Replaces is the identity of an older act that is equal and waits in the outbox: it is
	// not delivered any more.
	Replaces string `json:"replaces,omitempty"`
}

// callLanes is how many requests of one agent to one address are under way at once: those
// of a target are in order.
const callLanes = 8

// NewCall is the request of an act, on its way to an address.
func NewCall(c Change, body any, at time.Time) Event {
	agent, target := c.Proposal.Agent, c.Proposal.Target.ID()
	lane := fnv.New32a()
	_, _ = fmt.Fprintf(lane, "%q %q %q", target.Kind, target.Namespace, target.Name)
	var call Call
	if c.Terms != nil {
		call = c.Terms.Call
	}
	return Event{
		ID: c.Identity, Source: fmt.Sprintf("%s%s/%s-%d", AgentSource, agent, CallType, lane.Sum32()%callLanes), Type: CallType,
		Subject: target.String(), Time: at, Data: body, Sender: agent, Call: &call,
	}
}

// Call takes over the request of an act, which the outbox delivers from then on. The error
// may pass where there is no room.
func (h *Host) Call(ctx context.Context, e Event, c Change, url string) error {
	if h.Courier == nil {
		return errors.New("nothing here makes requests of addresses")
	}
	p := Posting{Event: e, To: []Destination{{URL: url, Agent: e.Sender}}}
	if c.Terms != nil {
		p.Replaces = c.Terms.Replaces
	}
	return h.post(ctx, []Posting{p})
}

// terms are those of an act that the outbox delivers; nil of any other.
func (a *agent) terms(c *candidate, now time.Time) *Terms {
	if !c.verb.Delivered {
		return nil
	}
	once := c.once()
	return &Terms{Call: Call{For: a.retryFor(c.slot.doc.Trigger, once, now), Letter: once}, Replaces: c.replaces}
}

// once reports whether nobody proposes an act again if it is lost.
func (c *candidate) once() bool { return c.approval != nil || c.slot.doc.Trigger.Event != nil }

// retryFor is how long an act is tried: as the manifest says; a day where nobody proposes
// it again; and else until the trigger fires the next time, DefaultActDeadline at the least: a
// restart in between must not lose it.
func (a *agent) retryFor(t *TriggerInfo, once bool, now time.Time) time.Duration {
	if a.spec.RetryFor > 0 {
		return a.spec.RetryFor
	}
	if i := slices.IndexFunc(a.spec.Triggers, func(own Trigger) bool { return own.Name == t.Name }); i >= 0 && !once {
		switch own := &a.spec.Triggers[i]; {
		case own.Every > 0:
			return max(own.Every, DefaultActDeadline)
		case own.Cron != nil:
			if next := own.Cron.Next(now); next.After(now) {
				return max(next.Sub(now), DefaultActDeadline)
			}
		}
	}
	return GiveUpDelivery
}

// onItsWay notes an act that is given to the outbox. The mutex is held.
func (a *agent) onItsWay(in Intent) { a.sent[in.Identity] = &errand{Intent: in} }

// givenToOutbox looks at an act that is in the outbox by now: its end may have come before
// anybody could tell this agent.
func (a *agent) givenToOutbox(in Intent) {
	if ended, is := a.host.callEnded(in.Identity); is {
		a.delivered(ended)
	}
}

// handOver takes from the open acts those that the outbox has, or has brought to an end:
// what becomes of them is for the outbox to say, whatever the agent may do by now.
func (a *agent) handOver(ctx context.Context) error {
	delivered := func(in Intent) bool { return a.host.Verbs[in.Primitive].Delivered && !in.DryRun }
	if !slices.ContainsFunc(a.open, delivered) {
		return nil
	}
	letters, err := a.host.Journal.Letters(ctx, a.name, -1)
	if err != nil {
		return err
	}
	waits := map[string]bool{}
	for _, l := range letters {
		if l.Box == BoxOutbox && l.Event.Call != nil {
			waits[l.Event.ID] = true
		}
	}
	a.open = slices.DeleteFunc(a.open, func(in Intent) bool {
		if !delivered(in) {
			return false
		}
		if ended, is := a.host.callEnded(in.Identity); is {
			a.over(in, ended.Outcome, ended.At)
			return true
		}
		if !waits[in.Identity] {
			return false
		}
		a.mu.Lock()
		a.onItsWay(in)
		a.mu.Unlock()
		a.givenToOutbox(in)
		return true
	})
	return nil
}

// errand is an act on its way.
type errand struct {
	Intent
	late bool // it was not answered yet when it was tried
}

// delivered ends an act that was on its way; false if it is not this agent's.
func (a *agent) delivered(c Conclusion) bool {
	a.mu.Lock()
	e := a.sent[c.Identity]
	delete(a.sent, c.Identity)
	a.mu.Unlock()
	if e == nil {
		return false
	}
	a.over(e.Intent, c.Outcome, c.At)
	return true
}

// waitsFor notes that an act on its way was tried, and has to wait.
func (a *agent) waitsFor(identity string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.sent[identity]; e != nil {
		e.late = true
	}
}

// replaceable is the identity of an act that waits in the outbox, and which an equal one
// of a later tick replaces; "" if there is none. The mutex is held.
func (a *agent) replaceable(c *candidate) string {
	if !c.verb.Delivered || c.once() {
		return ""
	}
	for _, past := range a.memoryOf(c.Target.ID()).acts {
		if past.running && past.verb == c.Primitive && past.what == c.Strategy+canonical(c.With) {
			if e := a.sent[past.identity]; e != nil && e.late && !e.Once {
				return past.identity
			}
		}
	}
	return ""
}

// replace ends the act that a newer one replaces.
func (a *agent) replace(in Intent) {
	if in.Change.Terms == nil || in.Change.Terms.Replaces == "" {
		return
	}
	a.mu.Lock()
	e := a.sent[in.Change.Terms.Replaces]
	delete(a.sent, in.Change.Terms.Replaces)
	a.mu.Unlock()
	if e != nil {
		a.finish(e.Intent, Outcome{Status: Abandoned, Detail: "not answered yet, and replaced by " + in.Identity}, a.host.Clock.Now())
	}
}

// endedMost bounds how many ends are kept of acts whose agent does not run yet.
const endedMost = 10_000

// called tells an agent what became of its act. One that does not run yet, or has not read
// its open acts, asks later.
func (h *Host) called(agent string, c Conclusion) {
	h.mu.Lock()
	r := h.agents[agent]
	h.mu.Unlock()
	if r != nil && r.agent.delivered(c) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for old := range h.calls { // of acts that were not open any more
		if len(h.calls) < endedMost {
			break
		}
		delete(h.calls, old)
	}
	h.calls[c.Identity] = c
}

// callEnded returns how an act ended while its agent did not run.
func (h *Host) callEnded(identity string) (Conclusion, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ended := h.calls[identity]
	delete(h.calls, identity)
	return c, ended
}

// callLate notes that an act waits to be tried again.
func (h *Host) callLate(agent, identity string) {
	h.mu.Lock()
	r := h.agents[agent]
	h.mu.Unlock()
	if r != nil {
		r.agent.waitsFor(identity)
	}
}

// mayCall asks today's bounds about a call that was admitted before. The error may pass
// where the agent may be let loose again.
func (h *Host) mayCall(to Destination) error {
	h.mu.Lock()
	r := h.agents[to.Agent]
	h.mu.Unlock()
	switch {
	case r == nil && !(*h.wanted.Load())[to.Agent]:
		return fmt.Errorf("its agent %s is not run any more", to.Agent)
	case r == nil:
		return Retry(errors.New("its agent does not run yet"))
	case r.agent.spec.Mode != Enforce:
		return Retry(fmt.Errorf("its agent is in mode %s", r.agent.spec.Mode))
	case !slices.Contains(r.agent.spec.Primitives, CallType):
		return fmt.Errorf("%s is no longer among the agent's primitives", CallType)
	case !URLAllowed(to.URL, r.agent.spec.Guards.URLs):
		return fmt.Errorf("%s is not among the addresses that the agent may call any more; add it to spec.guards.urls", hostOf(to.URL))
	}
	return nil
}

// SentAgain is the outcome of a call that failed, was sent again by a person, and was then
// delivered.
func SentAgain(failed, delivered Outcome) Outcome {
	delivered.Detail = Clip(fmt.Sprintf("%s; sent again, after it had failed: %s", delivered.Detail, failed.Detail))
	return delivered
}

// until is when a delivery is given up.
func (d *Delivery) until() time.Time { return d.Queued.Add(d.patience()) }

// patience is how long a delivery is tried, in all.
func (d *Delivery) patience() time.Duration {
	if d.Event.Call != nil {
		return cmp.Or(d.Event.Call.For, GiveUpDelivery)
	}
	return GiveUpDelivery
}

// ends is the settlement of a delivery; of a call, its outcome is with it.
func (d *Delivery) ends(state DeliveryState, why string, at time.Time) Settlement {
	s := Settlement{ID: d.ID, State: state, Why: Clip(why), At: at}
	call := d.Event.Call
	if call == nil {
		return s
	}
	s.Outcome = &Outcome{Status: Failed, Detail: s.Why}
	switch {
	case state == Delivered:
		s.Outcome.Status, s.Outcome.Applied, s.Why = Done, true, ""
	case state == Undeliverable && !call.Letter:
		s.State = Dropped
	}
	return s
}
