package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Router accepts events and puts them into the boxes that they belong to. Its methods are
// safe for concurrent use.
type Router struct {
	store engine.Queue
	peers []string // endpoints of other processes that get the events of agents here
	wake  func(agent string)
	// outbox delivers; nil where nothing here does.
	outbox *Outbox

	mu sync.Mutex
	// triggers are those that events fire, by agent; nil until they are known. They include
	// those of an agent that is being restarted, so that it misses no event.
	triggers map[string][]engine.Trigger
}

// NewRouter returns a router. wake is called for each agent that has a new event, and with
// "" for all agents.
func NewRouter(store engine.Queue, peers []string, outbox *Outbox, wake func(agent string)) *Router {
	return &Router{store: store, peers: peers, outbox: outbox, wake: wake}
}

// SetAgents sets the agents whose triggers receive events.
func (r *Router) SetAgents(specs []engine.Spec) {
	triggers := map[string][]engine.Trigger{}
	for _, s := range specs {
		for _, t := range s.Triggers {
			if t.Filter() != nil {
				triggers[s.String()] = append(triggers[s.String()], t)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.triggers = triggers
}

func (r *Router) agents() map[string][]engine.Trigger {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.triggers
}

// Publish accepts an event of an agent of this process: for the inbox of each agent here
// that has a trigger for it, and for the peers. When it returns, the journal has the event:
// it will be handled once, even if this process ends. The error is final if no agent can
// want the event or it has too many hops, and retryable (engine.IsRetryable) otherwise;
// then some boxes may have it already, and do not get it twice.
func (r *Router) Publish(ctx context.Context, e engine.Event) error {
	if e.Hops > engine.MaxHops {
		return fmt.Errorf("event %s has come through %d others, each sent because of the one before, and %d are allowed: agents ask each other in a circle", engine.Echo(e.Type), e.Hops, engine.MaxHops)
	}
	if err := e.Check(); err != nil {
		return err
	}
	envelope, wanted := r.address(e)
	if len(envelope.Agents)+len(envelope.To) == 0 {
		return unwanted(&e, wanted)
	}
	return r.enqueue(ctx, []engine.Envelope{envelope})
}

// Notice returns the envelopes of the notice of an approval: for agents here, the peers,
// and the address of the agent's manifest, "" for none.
func (r *Router) Notice(e engine.Event, agent, notify string) []engine.Envelope {
	envelope, _ := r.address(e)
	if notify != "" && r.outbox != nil {
		envelope.To = append(envelope.To, engine.Destination{URL: notify, Agent: agent})
	}
	if len(envelope.Agents)+len(envelope.To) == 0 {
		return nil
	}
	return []engine.Envelope{envelope}
}

// address returns the envelope of an event of an agent here, and whether any agent here has
// a trigger for it, from whichever sender.
func (r *Router) address(e engine.Event) (envelope engine.Envelope, wanted bool) {
	envelope.Event = e
	envelope.Agents, wanted = r.receivers(&e)
	for _, peer := range r.peers {
		envelope.To = append(envelope.To, engine.Destination{URL: peer})
	}
	return envelope, wanted
}

// UnwantedError is returned for an event that no agent here takes, and no peer might.
type UnwantedError struct {
	Type, Sender string
	// Wanted is set where agents here have a trigger for it, from other senders.
	Wanted bool
}

func unwanted(e *engine.Event, wanted bool) *UnwantedError {
	return &UnwantedError{e.Type, e.Sender, wanted}
}

func (e *UnwantedError) Error() string {
	if e.Wanted {
		return fmt.Sprintf("no agent here takes events of type %q from %s; name it under `from` in the trigger", engine.Cut(e.Type), engine.Echo(e.Sender))
	}
	return fmt.Sprintf("no agent here has a trigger for events of type %q", engine.Cut(e.Type))
}

// IsUnwanted reports whether an error of Publish means that no agent wants the event. For
// an event that only informs, that is no fault.
func IsUnwanted(err error) bool {
	var unwanted *UnwantedError
	return errors.As(err, &unwanted)
}

// Send accepts an event for one endpoint elsewhere.
func (r *Router) Send(ctx context.Context, e engine.Event, to engine.Destination) error {
	switch {
	case r.outbox == nil:
		return errors.New("nothing here delivers events to addresses")
	case e.Hops > engine.MaxHops:
		return fmt.Errorf("event %s has come through %d others, each sent because of the one before, and %d are allowed", engine.Echo(e.Type), e.Hops, engine.MaxHops)
	}
	if err := e.Check(); err != nil {
		return err
	}
	return r.enqueue(ctx, []engine.Envelope{{Event: e, To: []engine.Destination{to}}})
}

// Call accepts the request of an act, for one address. The error is retryable where the
// outbox is full.
func (r *Router) Call(ctx context.Context, e engine.Event, c engine.Change, url string) error {
	if r.outbox == nil {
		return errors.New("nothing here makes requests of addresses")
	}
	envelope := engine.Envelope{Event: e, To: []engine.Destination{{URL: url, Agent: e.Sender}}}
	if c.Terms != nil {
		envelope.Replaces = c.Terms.Replaces
	}
	return r.enqueue(ctx, []engine.Envelope{envelope})
}

// enqueue stores events, and wakes their receivers. Where one box is full, the others get
// theirs: if the same is enqueued again for the full one, they have it already.
func (r *Router) enqueue(ctx context.Context, envelopes []engine.Envelope) error {
	err := r.tryEnqueue(ctx, envelopes)
	if errors.Is(err, engine.ErrFull) {
		if boxes := byBox(envelopes); len(boxes) > 1 {
			var full []error
			for _, one := range boxes {
				full = append(full, r.tryEnqueue(ctx, one))
			}
			err = errors.Join(full...)
		}
	}
	switch {
	case errors.Is(err, engine.ErrTooLarge):
		return fmt.Errorf("keep %s: %w", describe(envelopes), err)
	case err != nil:
		return engine.Retry(fmt.Errorf("keep %s: %w", describe(envelopes), err))
	}
	return nil
}

func (r *Router) tryEnqueue(ctx context.Context, envelopes []engine.Envelope) error {
	_, err := r.store.Enqueue(ctx, envelopes)
	if err == nil {
		r.Wake(envelopes)
	}
	return err
}

// byBox splits envelopes by the box that they go into, each in their order.
func byBox(envelopes []engine.Envelope) map[string][]engine.Envelope {
	out := map[string][]engine.Envelope{}
	for _, p := range envelopes {
		for _, agent := range p.Agents {
			out[agent] = append(out[agent], engine.Envelope{Event: p.Event, Agents: []string{agent}})
		}
		if len(p.To) > 0 {
			out[engine.BoxOutbox] = append(out[engine.BoxOutbox], engine.Envelope{Event: p.Event, To: p.To})
		}
	}
	return out
}

func describe(envelopes []engine.Envelope) string {
	if len(envelopes) == 1 {
		return "event " + engine.Echo(envelopes[0].Event.ID)
	}
	return fmt.Sprintf("%d events", len(envelopes))
}

// Wake wakes the receivers of events that are stored.
func (r *Router) Wake(envelopes []engine.Envelope) {
	for _, p := range envelopes {
		for _, agent := range p.Agents {
			r.wake(agent)
		}
		if len(p.To) > 0 && r.outbox != nil {
			r.outbox.Wake()
		}
	}
}

// Redeliver returns dead letters to their boxes, and wakes every receiver. It returns the
// ids that it found.
func (r *Router) Redeliver(ctx context.Context, ids []string) ([]string, error) {
	found, err := r.store.Redeliver(ctx, ids)
	r.wake("")
	if r.outbox != nil {
		r.outbox.Wake()
	}
	return found, err
}

// Messages lists what waits and what is dead, and sets the reason why a delivery waits.
func (r *Router) Messages(ctx context.Context, agent string, limit int) ([]engine.Message, error) {
	messages, err := r.store.Messages(ctx, agent, limit)
	if r.outbox != nil {
		r.outbox.explain(messages)
	}
	return messages, err
}
