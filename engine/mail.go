package engine

import (
	"context"
	"time"
)

// Posting is one event to be kept until it is handled: in the inboxes of agents
// here, and in the outbox for endpoints elsewhere.
type Posting struct {
	Event Event
	// Agents are the inboxes, namespace/name. Of an event with an Alert there may be none:
	// then no more is kept than what it says of the alert.
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
	// Agent is who sends, and whose credentials go with it; "" is this process itself,
	// towards a peer.
	Agent string `json:"agent,omitempty"`
}

// Mail is the durable part of events: inboxes, outbox and dead letters. An event is
// known by its source and id: in each inbox, and for each destination, it is kept
// once, however often it is posted, handled and delivered ones included (for as long
// as the implementation says). What was last said of each alert is remembered with the
// events, and for at least as long: an event with an Alert is known by the id that
// AlertStatus.Hear makes of both, in the transaction that takes it over.
type Mail interface {
	// Post takes events over, all of them or none, durably. It returns how many inboxes
	// got one that they had not had before. Where an inbox or the outbox has no room it
	// is an ErrFull.
	Post(ctx context.Context, postings []Posting) (fresh int, err error)
	// Inbox returns the events of an agent that wait, oldest first, at most so many.
	Inbox(ctx context.Context, agent string, limit int) ([]Event, error)
	// Outbox returns the deliveries that wait, oldest first, at most so many for each
	// pair of destination and event source: such a pair is delivered in order.
	Outbox(ctx context.Context, limit int) ([]Delivery, error)
	// Settle notes what became of deliveries. An Undeliverable one becomes a dead letter.
	// An UnwantedThere one is dropped, unless it was the last that waited of its event
	// (source and id) and nobody took the event, neither an inbox here nor another
	// destination: then it becomes a dead letter too.
	Settle(ctx context.Context, settled []Settlement) error
	// Bury takes a waiting event out of an agent's inbox and makes it a dead letter.
	Bury(ctx context.Context, agent string, e Event, why string) error
	// Letters lists what waits and what is dead, oldest first, at most so many of each
	// box. The agent "" is all.
	Letters(ctx context.Context, agent string, limit int) ([]Letter, error)
	// Boxes counts the letters of each box, at a cost that does not grow with what was
	// handled and delivered: it is asked at each scrape.
	Boxes(ctx context.Context) (Boxes, error)
	// Resend has dead letters wait again. It returns those that it found.
	Resend(ctx context.Context, ids []string) ([]string, error)
}

// Delivery is an event that waits to be delivered.
type Delivery struct {
	// ID names the delivery in its journal.
	ID     string
	Event  Event
	To     Destination
	Queued time.Time
}

// Settlement is what became of a delivery.
type Settlement struct {
	ID    string
	State DeliveryState
	// Why is for a person, and holds no secret.
	Why string
	At  time.Time
	// Outcome is set of a call: the act of its identity is concluded with it, in one piece
	// with the delivery, if it has no conclusion yet.
	Outcome *Outcome
}

// DeliveryState is how a delivery ended.
type DeliveryState string

const (
	Delivered     DeliveryState = "delivered"
	UnwantedThere DeliveryState = "unwanted"
	Undeliverable DeliveryState = "dead"
	// Dropped is a call that failed, and that is proposed again where it is still wanted.
	Dropped DeliveryState = "dropped"
)

// Letter is an event in one of the boxes, for a person.
type Letter struct {
	// ID names it to Resend.
	ID string `json:"id"`
	// Box is inbox, outbox, or dead.
	Box string `json:"box"`
	// Agent is whose inbox it is or was in, or who sent it.
	Agent string `json:"agent,omitempty"`
	// To is where it was to go, "" for an inbox.
	To    string    `json:"to,omitempty"`
	Event Event     `json:"event"`
	Since time.Time `json:"since"` // when it was queued, or when it died
	Why   string    `json:"why,omitempty"`
}

// The boxes of a Letter.
const (
	BoxInbox  = "inbox"
	BoxOutbox = "outbox"
	BoxDead   = "dead"
)

// Boxes are how many letters each box has, over all agents.
type Boxes struct {
	Inbox, Outbox, Dead int
}
