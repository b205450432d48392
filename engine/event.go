package engine

import (
	"strings"
	"time"
)

// Event is a CloudEvent (CloudEvents 1.0 attribute names) on its way to an agent.
type Event struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time"`
	// Data is a decoded JSON value. In an event between two processes it may be
	// json.RawMessage: valid JSON within the limits that nobody decoded.
	Data any `json:"data,omitempty"`
	// Hops counts the events that led to this one, each sent because of the one before:
	// the extension attribute scanflowhops. MaxHops bounds it.
	Hops int `json:"hops,omitempty"`
	// Sender is the authenticated sender: an agent as namespace/name, or the name of a
	// declared sender. It is not read from the event.
	Sender string `json:"sender,omitempty"`
	// Deferral is set where guards refused a part of what was proposed for the event. No
	// sender sets it, and no policy sees it.
	Deferral *Deferral `json:"held,omitempty"`
	// Call is set where this is no event but the request of an act, which the outbox
	// delivers. No inbox has one.
	Call *Call `json:"call,omitempty"`
	// Alert is the state of the alert that the event reports, until the Queue has stored
	// the event: the id that it is stored under depends on it. Nil for any other event.
	Alert *AlertStatus `json:"-"`
}

// Key identifies an event in one inbox.
func (e *Event) Key() string { return e.Source + "\x00" + e.ID }

// Informs reports whether an event needs no receiver: the end of a workflow, a promotion,
// the notice of an approval. Any other event of an agent is a request.
func (e *Event) Informs() bool {
	return !strings.HasPrefix(e.Source, AgentSource) || e.Type == ApprovalRequested
}

// ApprovalRequested is the event type of the notice that an approval is requested.
const ApprovalRequested = "dev.scanflow.approval.requested"

// AgentSource is the beginning of the source of an agent's events; namespace/name follows.
const AgentSource = "/agents/"

// MaxHops bounds the events in a row of which each was sent because of the one before.
// Agents that trigger each other in a circle end there.
const MaxHops = 16
