package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Receive accepts events from outside, those that agents here want and take from their
// sender. The receipts are in the order of the events. An error means that not all were
// accepted; if it is retryable (engine.IsRetryable), the same events may be sent again, and
// no agent gets one twice.
func (r *Router) Receive(ctx context.Context, from engine.Sender, events []engine.Event) ([]engine.Receipt, error) {
	if r.agents() == nil {
		return nil, engine.Retry(errors.New("the agents are not known yet"))
	}
	receipts := make([]engine.Receipt, len(events))
	var envelopes []engine.Envelope
	for i, e := range events {
		e.Sender = senderOf(from, &e)
		receipts[i] = engine.Receipt{ID: e.ID, Source: e.Source, Verdict: engine.Accepted}
		agents, wanted := r.receivers(&e)
		switch {
		case e.Hops > engine.MaxHops:
			receipts[i].Verdict, receipts[i].Why = engine.RefusedEvent, fmt.Sprintf("it has come through %d others, and %d are allowed", e.Hops, engine.MaxHops)
		case len(agents) > 0:
			envelopes = append(envelopes, engine.Envelope{Event: e, Agents: agents})
		default:
			if receipts[i].Verdict = engine.UnwantedEvent; wanted {
				receipts[i].Verdict = engine.RefusedEvent
			}
			receipts[i].Why = unwanted(&e, wanted).Error()
			if r.takesOpposite(e) {
				envelopes = append(envelopes, engine.Envelope{Event: e})
			}
		}
	}
	if len(envelopes) == 0 {
		return receipts, nil
	}
	return receipts, r.enqueue(ctx, envelopes)
}

// senderOf returns the sender of an event: a peer sends for its agents.
func senderOf(from engine.Sender, e *engine.Event) string {
	if !from.Peer {
		return from.Name
	}
	if agent, is := strings.CutPrefix(e.Source, engine.AgentSource); is && strings.Count(agent, "/") == 1 {
		return agent
	}
	if strings.Contains(e.Sender, "/") { // of a workflow or a model: the peer names its agent
		return e.Sender
	}
	return from.Name
}

// receivers returns the agents that have a trigger for an event and take it from its
// sender; wanted reports whether any has a trigger for it, from whichever sender.
func (r *Router) receivers(e *engine.Event) (agents []string, wanted bool) {
	triggers := r.agents()
	labels := e.Labels()
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		if engine.EventTrigger(triggers[name], e, labels) != nil {
			agents = append(agents, name)
		}
		for _, t := range triggers[name] {
			wanted = wanted || t.Filter().Matches(e, labels)
		}
	}
	return agents, wanted
}

// takesOpposite reports whether an agent here takes the opposite event of an alert: an
// agent that takes only firing alerts needs to know that one has ended, to see that it
// fires again.
func (r *Router) takesOpposite(e engine.Event) bool {
	switch {
	case e.Alert == nil:
		return false
	case e.Alert.Resolved:
		e.Type = engine.AlertFiring
	default:
		e.Type = engine.AlertResolved
	}
	agents, _ := r.receivers(&e)
	return len(agents) > 0
}
