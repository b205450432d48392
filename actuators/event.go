package actuators

import (
	"context"
	"errors"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// EventWith are the parameters of `event.send`.
type EventWith struct {
	Type    string `json:"type" required:"true" doc:"the CloudEvents type, as in the trigger of the agent that takes it"`
	Subject string `json:"subject" doc:"what it is about; absent: the target, as namespace/name"`
	Data    any    `json:"data" doc:"any JSON value"`
}

// eventSend puts an event into the inbox of every agent of this process that has
// a trigger for its type. The change's identity is the event's id, so that it is
// taken once however often it is sent.
type eventSend struct {
	publish func(context.Context, engine.Event) error
	now     func() time.Time
}

func newEvent(env Env) engine.Actuator {
	if env.Publish == nil {
		return nil
	}
	return &eventSend{publish: env.Publish, now: env.Now}
}

// Plan says what would be sent.
func (e *eventSend) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	var with EventWith
	if mistakes := manifest.DecodeMap(p.With, &with); len(mistakes) > 0 {
		return engine.Change{}, errors.New(mistakes[0])
	}
	return engine.Change{Diff: "event " + with.Type}, nil
}

// Apply returns once the inboxes hold the event, durably.
func (e *eventSend) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	var with EventWith
	if mistakes := manifest.DecodeMap(c.Proposal.With, &with); len(mistakes) > 0 {
		return engine.Outcome{}, errors.New(mistakes[0])
	}
	target := c.Proposal.Target.ID()
	event := engine.Event{
		ID: c.Identity, Source: "/agents/" + c.Proposal.Agent, Type: with.Type, Subject: with.Subject, Time: e.now(), Data: with.Data,
	}
	if event.Subject == "" {
		event.Subject = target.String()
	}
	if err := e.publish(ctx, event); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "accepted"}, nil
}
