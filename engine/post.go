package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Publish takes over an event of an agent of this process: into the inbox of each
// agent here that has a trigger for it, and to the peers. It returns once the journal
// holds it: from then on it will be handled, once, whatever happens to this process.
// The error is final if nobody can want it or it has come too far, and may pass
// otherwise (MayPass); then some may have it already, and do not get it twice.
func (h *Host) Publish(ctx context.Context, e Event) error {
	if e.Hops > MaxHops {
		return fmt.Errorf("event %s has come through %d others, each sent because of the one before, and %d are allowed: agents ask each other in a circle", Echo(e.Type), e.Hops, MaxHops)
	}
	if err := e.check(); err != nil {
		return err
	}
	p := Posting{Event: e}
	agents, wanted := h.takersOf(&e)
	p.Agents = agents
	for _, peer := range h.Peers {
		p.To = append(p.To, Destination{URL: peer})
	}
	if len(p.Agents)+len(p.To) == 0 {
		return unwanted(&e, wanted)
	}
	return h.post(ctx, []Posting{p})
}

// UnwantedError is an event that no agent here takes, and no peer might.
type UnwantedError struct {
	Type, Sender string
	// Wanted says that agents here have a trigger for it, from other senders.
	Wanted bool
}

func unwanted(e *Event, wanted bool) *UnwantedError { return &UnwantedError{e.Type, e.Sender, wanted} }

func (e *UnwantedError) Error() string {
	if e.Wanted {
		return fmt.Sprintf("no agent here takes events of type %q from %s; name it under `from` in the trigger", cut(e.Type), Echo(e.Sender))
	}
	return fmt.Sprintf("no agent here has a trigger for events of type %q", cut(e.Type))
}

// Unwanted tells whether an error of Publish says that nobody wants the event, which is
// as well for one that only tells of something.
func Unwanted(err error) bool {
	var unwanted *UnwantedError
	return errors.As(err, &unwanted)
}

// Send takes over an event that goes to an endpoint elsewhere, and nowhere else.
func (h *Host) Send(ctx context.Context, e Event, to Destination) error {
	switch {
	case h.Courier == nil:
		return errors.New("nothing here delivers events to addresses")
	case e.Hops > MaxHops:
		return fmt.Errorf("event %s has come through %d others, each sent because of the one before, and %d are allowed", Echo(e.Type), e.Hops, MaxHops)
	}
	if err := e.check(); err != nil {
		return err
	}
	return h.post(ctx, []Posting{{Event: e, To: []Destination{to}}})
}

// Receive takes over events from outside, those that agents here want and take from
// their sender. The receipts are in the order of the events. An error means that not all
// of these were taken; if it may pass (MayPass), the same events may be handed over
// again, and nobody gets one twice.
func (h *Host) Receive(ctx context.Context, from Sender, events []Event) ([]Receipt, error) {
	if !h.applied() {
		return nil, Retry(errors.New("the agents are not known yet"))
	}
	receipts := make([]Receipt, len(events))
	var postings []Posting
	for i, e := range events {
		e.Sender = senderOf(from, &e)
		receipts[i] = Receipt{ID: e.ID, Source: e.Source, Verdict: Accepted}
		agents, wanted := h.takersOf(&e)
		switch {
		case e.Hops > MaxHops:
			receipts[i].Verdict, receipts[i].Why = RefusedEvent, fmt.Sprintf("it has come through %d others, and %d are allowed", e.Hops, MaxHops)
		case len(agents) > 0:
			postings = append(postings, Posting{Event: e, Agents: agents})
		default:
			if receipts[i].Verdict = UnwantedEvent; wanted {
				receipts[i].Verdict = RefusedEvent
			}
			receipts[i].Why = unwanted(&e, wanted).Error()
			if h.takesOther(e) {
				postings = append(postings, Posting{Event: e})
			}
		}
	}
	if len(postings) == 0 {
		return receipts, nil
	}
	return receipts, h.post(ctx, postings)
}

// applied tells whether the host was given its agents: before, nobody could say which
// events they want.
func (h *Host) applied() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.takers != nil
}

// senderOf is who an event came from: a peer speaks for its agents.
func senderOf(from Sender, e *Event) string {
	if !from.Peer {
		return from.Name
	}
	if agent, is := strings.CutPrefix(e.Source, AgentSource); is && strings.Count(agent, "/") == 1 {
		return agent
	}
	if strings.Contains(e.Sender, "/") { // of a workflow or a model, whose agent the peer names
		return e.Sender
	}
	return from.Name
}

// AgentSource is how the source of an agent's events begins; namespace/name follows.
const AgentSource = "/agents/"

// takersOf are the agents that want an event and take it from its sender; wanted says
// that there are some that want it, whoever it is from.
func (h *Host) takersOf(e *Event) (agents []string, wanted bool) {
	h.mu.Lock()
	takers := h.takers
	h.mu.Unlock()
	labels := labelsOf(e)
	for _, name := range slices.Sorted(maps.Keys(takers)) {
		if eventTrigger(takers[name], e, labels) != nil {
			agents = append(agents, name)
		}
		for _, t := range takers[name] {
			wanted = wanted || t.events().wants(e, labels)
		}
	}
	return agents, wanted
}

// takesOther reports whether an agent here takes the event that is the other end of an
// alert's: who hears only that an alert fires hears that it fires again, too.
func (h *Host) takesOther(e Event) bool {
	switch {
	case e.Alert == nil:
		return false
	case e.Alert.Resolved:
		e.Type = AlertFiring
	default:
		e.Type = AlertResolved
	}
	agents, _ := h.takersOf(&e)
	return len(agents) > 0
}

// post keeps events, and wakes who is to handle them. Where one inbox, or the outbox,
// has no room, the others get theirs all the same: what is posted again, for those that
// had none, they have already.
func (h *Host) post(ctx context.Context, postings []Posting) error {
	err := h.postAll(ctx, postings)
	if errors.Is(err, ErrFull) {
		if boxes := byBox(postings); len(boxes) > 1 {
			var full []error
			for _, one := range boxes {
				full = append(full, h.postAll(ctx, one))
			}
			err = errors.Join(full...)
		}
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("keep %s: %w", eventsText(postings), err)
	case err != nil:
		return Retry(fmt.Errorf("keep %s: %w", eventsText(postings), err))
	}
	return nil
}

func (h *Host) postAll(ctx context.Context, postings []Posting) error {
	_, err := h.Journal.Post(ctx, postings)
	if err == nil {
		h.posted(postings)
	}
	return err
}

// byBox takes postings apart by the box that they go into, each in their order.
func byBox(postings []Posting) map[string][]Posting {
	out := map[string][]Posting{}
	for _, p := range postings {
		for _, agent := range p.Agents {
			out[agent] = append(out[agent], Posting{Event: p.Event, Agents: []string{agent}})
		}
		if len(p.To) > 0 {
			out[BoxOutbox] = append(out[BoxOutbox], Posting{Event: p.Event, To: p.To})
		}
	}
	return out
}

func eventsText(postings []Posting) string {
	if len(postings) == 1 {
		return "event " + Echo(postings[0].Event.ID)
	}
	return fmt.Sprintf("%d events", len(postings))
}

// posted wakes those for whom events were kept.
func (h *Host) posted(postings []Posting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range postings {
		for _, name := range p.Agents {
			if r := h.agents[name]; r != nil { // the one of now: it may have been restarted meanwhile
				r.agent.signal()
			}
		}
		if len(p.To) > 0 {
			h.outbox.signal()
		}
	}
}

// Resend has dead letters wait again, and wakes who is to handle them. It returns
// those that it found.
func (h *Host) Resend(ctx context.Context, ids []string) ([]string, error) {
	found, err := h.Journal.Resend(ctx, ids)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.agents {
		r.agent.signal()
	}
	h.outbox.signal()
	return found, err
}
