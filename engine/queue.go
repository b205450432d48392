package engine

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Envelope is one event to be kept until it is handled: in the inboxes of agents of this
// process, and in the outbox for endpoints elsewhere.
type Envelope struct {
	Event Event
	// Agents are the inboxes, namespace/name. An event with an Alert may have none: then
	// only the state of the alert is kept.
	Agents []string
	// To are the endpoints.
	To []Destination
	// Replaces is the id of a call of the same source, to the same endpoints, that is not
	// delivered any more if it still waits.
	Replaces string
}

// Destination is a CloudEvents endpoint elsewhere.
type Destination struct {
	URL string `json:"url"`
	// Agent is the sender, whose credentials go with the request; "" is this process
	// itself, towards a peer.
	Agent string `json:"agent,omitempty"`
}

// Queue is the durable store of events: inboxes, outbox and dead letters. An event is
// identified by its source and id. Each inbox and each destination gets it once, however
// often it is enqueued; events that were handled or delivered count too, for as long as
// the implementation says. The last state of each alert is kept with the events, for at
// least as long: an event with an Alert gets the id that AlertStatus.Next returns, in the
// transaction that enqueues it.
type Queue interface {
	// Enqueue stores events, all of them or none. It returns how many inboxes got an event
	// that they had not had before. A full inbox or outbox is an ErrFull.
	Enqueue(ctx context.Context, envelopes []Envelope) (fresh int, err error)
	// Inbox returns the waiting events of an agent, oldest first, at most limit.
	Inbox(ctx context.Context, agent string, limit int) ([]Event, error)
	// Outbox returns the waiting deliveries, oldest first, at most limit for each pair of
	// destination and event source: such a pair is delivered in order.
	Outbox(ctx context.Context, limit int) ([]Delivery, error)
	// Ack records how deliveries ended. An Undeliverable one becomes a dead letter. An
	// UnwantedThere one is dropped, unless it was the last waiting delivery of its event
	// and no inbox or other destination took the event: then it becomes a dead letter too.
	Ack(ctx context.Context, acks []Ack) error
	// DeadLetter moves a waiting event from an agent's inbox to the dead letters.
	DeadLetter(ctx context.Context, agent string, e Event, why string) error
	// Messages lists what waits and what is dead, oldest first, at most limit of each box.
	// The agent "" means all.
	Messages(ctx context.Context, agent string, limit int) ([]Message, error)
	// Depths counts the messages of each box, at a cost that does not grow with what was
	// handled and delivered: each scrape calls it.
	Depths(ctx context.Context) (QueueDepths, error)
	// Redeliver returns dead letters to the box that they were in. It returns those found.
	Redeliver(ctx context.Context, ids []string) ([]string, error)
}

// Deliverer sends events to endpoints elsewhere.
type Deliverer interface {
	// Deliver sends events of one source, in their order, all of them or none. The receipts
	// are in the order of the events. A retryable error (IsRetryable) is tried again; any
	// other is final for these events.
	Deliver(ctx context.Context, to Destination, events []Event) ([]Receipt, error)
}

// DeliveryTimeout bounds the attempts to deliver an event. After that the event is a
// dead letter.
const DeliveryTimeout = 24 * time.Hour

// Delivery is an event that waits to be delivered.
type Delivery struct {
	// ID identifies the delivery in its journal.
	ID     string
	Event  Event
	To     Destination
	Queued time.Time
}

// Timeout returns how long the delivery is tried, from Queued on.
func (d *Delivery) Timeout() time.Duration {
	if d.Event.Call != nil {
		return cmp.Or(d.Event.Call.For, DeliveryTimeout)
	}
	return DeliveryTimeout
}

// Deadline returns when the delivery is given up.
func (d *Delivery) Deadline() time.Time { return d.Queued.Add(d.Timeout()) }

// Ack returns the acknowledgement of the delivery; that of a call has its outcome.
func (d *Delivery) Ack(state DeliveryState, why string, at time.Time) Ack {
	s := Ack{ID: d.ID, State: state, Why: Clip(why), At: at}
	call := d.Event.Call
	if call == nil {
		return s
	}
	s.Outcome = &Outcome{Status: Failed, Detail: s.Why}
	switch {
	case state == Delivered:
		s.Outcome.Status, s.Outcome.Applied, s.Why = Done, true, ""
	case state == Undeliverable && !call.DeadLetter:
		s.State = Dropped
	}
	return s
}

// Ack records how a delivery ended.
type Ack struct {
	ID    string
	State DeliveryState
	// Why is for a person, and holds no secret.
	Why string
	At  time.Time
	// Outcome is set for a call: the intent of its identity is concluded with it, in the
	// same transaction, if it has no conclusion yet.
	Outcome *Outcome
}

// DeliveryState is the result of a delivery that ended.
type DeliveryState string

const (
	Delivered     DeliveryState = "delivered"
	UnwantedThere DeliveryState = "unwanted"
	Undeliverable DeliveryState = "dead"
	// Dropped is a call that failed. A strategy proposes it again where it is still wanted.
	Dropped DeliveryState = "dropped"
)

// Message is an event in one of the boxes, for a person.
type Message struct {
	// ID is the id for Redeliver.
	ID string `json:"id"`
	// Box is inbox, outbox, or dead.
	Box string `json:"box"`
	// Agent is the owner of the inbox, or the sender.
	Agent string `json:"agent,omitempty"`
	// To is the endpoint, "" for an inbox.
	To    string    `json:"to,omitempty"`
	Event Event     `json:"event"`
	Since time.Time `json:"since"` // when it was queued, or when it became a dead letter
	Why   string    `json:"why,omitempty"`
}

// The boxes of a Message.
const (
	BoxInbox  = "inbox"
	BoxOutbox = "outbox"
	BoxDead   = "dead"
)

// QueueDepths counts the messages of each box, over all agents.
type QueueDepths struct {
	Inbox, Outbox, Dead int
}

// Sender is the authenticated sender of events.
type Sender struct {
	// Name is the sender's declared name; OperatorSender for a user of the API.
	Name string
	// Peer is set for another Scanflow, which sends for its own agents: the sender of such
	// an event is the agent that its source names.
	Peer bool
}

// OperatorSender is the name of the sender that has the process's own token.
const OperatorSender = "api"

// Receipt is the result of one event that was sent.
type Receipt struct {
	ID      string         `json:"id"`
	Source  string         `json:"source"`
	Verdict ReceiptVerdict `json:"verdict"`
	// Why is for a person, where the verdict is not accepted.
	Why string `json:"why,omitempty"`
}

// ReceiptVerdict is the receiver's verdict on an event.
type ReceiptVerdict string

const (
	// Accepted is durable: the event will be handled, once. A repeated event is accepted
	// again, and changes nothing.
	Accepted ReceiptVerdict = "accepted"
	// UnwantedEvent is one of a type that no agent here has a trigger for.
	UnwantedEvent ReceiptVerdict = "unwanted"
	// RefusedEvent is one that no agent takes from this sender, or that has too many hops.
	RefusedEvent ReceiptVerdict = "refused"
)

// ErrFull is wrapped where an inbox or the outbox is full: not all events were taken, and
// the same may be sent again later.
var ErrFull = errors.New("no room for more events")

// ErrTooLarge is wrapped where the journal can't store something in one piece: nothing
// was taken, and the same would be refused again. Fewer events at once may be taken.
var ErrTooLarge = errors.New("too large")
