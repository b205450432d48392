package actuators

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// eventParams are the parameters of `event.send`.
type eventParams struct {
	Type    string `json:"type" required:"true" doc:"the CloudEvents type, as in the trigger of the agent that takes it"`
	Subject string `json:"subject" doc:"what it is about; absent: the target, as namespace/name"`
	Data    any    `json:"data" doc:"any JSON value"`
	URL     string `json:"url" doc:"a CloudEvents endpoint, allowed by the agent's guards.urls; absent: the agents of this process and of its peers that have a trigger for the type"`
}

// Check returns the mistakes in the values.
func (w *eventParams) Check() mistake.Mistakes {
	if w.URL == "" {
		return nil
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return mistake.Mistakes{{Path: "url", Message: "is no URL"}} // the parser's error would repeat it, userinfo and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return mistake.Mistakes{{Path: "url", Message: "must begin with http:// or https:// and name a host"}}
	case u.User != nil:
		return mistake.Mistakes{{Path: "url", Message: "holds a user", Fix: "put credentials in the manifest, by reference"}}
	}
	return nil
}

// eventSend writes an event to the journal: to the inboxes of agents or, for an address, to
// the outbox. The event's id is the change's identity, so that receivers handle it once
// however often it is sent.
type eventSend struct {
	publish func(context.Context, engine.Event) error
	send    func(context.Context, engine.Event, engine.Destination) error
	now     func() time.Time
}

func newEvent(env Env) engine.Actuator {
	if env.Publish == nil {
		return nil
	}
	return &eventSend{publish: env.Publish, send: env.Send, now: env.Now}
}

// eventPlan is kept in the intent, so that a crash before Apply doesn't lose it.
type eventPlan struct {
	Subject string `json:"subject"`
	Hops    int    `json:"hops,omitempty"`
}

// Plan describes the event. It reads nothing.
func (e *eventSend) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	var with eventParams
	if mistakes := manifest.DecodeMap(p.With, &with); len(mistakes) > 0 {
		return engine.Change{}, errors.New(mistakes[0])
	}
	plan := eventPlan{Subject: with.Subject, Hops: p.Hops}
	if plan.Subject == "" {
		plan.Subject = p.Target.ID().String()
	}
	diff := "event " + with.Type
	if with.URL != "" {
		diff += " to " + redact.URL(with.URL)
	}
	return engine.Planned(p, false, diff, plan)
}

// Apply returns once the journal holds the event.
func (e *eventSend) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	var with eventParams
	if mistakes := manifest.DecodeMap(c.Proposal.With, &with); len(mistakes) > 0 {
		return engine.Outcome{}, errors.New(mistakes[0])
	}
	plan, err := engine.ReadPlan[eventPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	event := engine.Event{
		ID: c.Identity, Source: engine.AgentSource + c.Proposal.Agent, Type: with.Type, Subject: plan.Subject, Time: e.now(), Data: with.Data,
		Hops: plan.Hops, Sender: c.Proposal.Agent,
	}
	if with.URL != "" {
		err = e.send(ctx, event, engine.Destination{URL: with.URL, Agent: c.Proposal.Agent})
	} else {
		err = e.publish(ctx, event)
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "accepted"}, nil
}
