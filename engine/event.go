package engine

import (
	"slices"
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

// AgentSource is the beginning of the source of an agent's events; namespace/name follows.
const AgentSource = "/agents/"

// MaxHops bounds the events in a row of which each was sent because of the one before.
// Agents that trigger each other in a circle end there.
const MaxHops = 16

// Deferral is kept with an event of whose acts a guard refused some.
type Deferral struct {
	// Firing is the firing that handled the event first. The identities of the event's acts
	// are made from it, however often the event is handled.
	Firing string `json:"firing"`
	// Acts are the identities of those that were admitted.
	Acts []string `json:"acts,omitempty"`
	// Since is the beginning of the wait, At the time of the last attempt, and Until the time
	// of the next one: zero times for a dead letter.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Why has the guards' reasons, for a person.
	Why string `json:"why,omitempty"`
	// Looks counts how often the event was handled since it waits.
	Looks int `json:"looks,omitempty"`
	// Refusals is a hash of what was refused, and by which guard.
	Refusals string `json:"refusals,omitempty"`
}

// Waits reports whether the event is not due yet. It is due where the clock was set back
// since, and where it was last handled before its agent began: the guards may be others.
func (d *Deferral) Waits(now, begun time.Time) bool {
	return d != nil && d.Until.After(now) && !d.At.After(now) && !d.At.Before(begun)
}

// Disposition says how an event continues of whose acts a firing did not do all.
type Disposition struct {
	// Event is the event to keep, with Deferral set.
	Event Event
	// Dead makes it a dead letter. Otherwise it waits, behind all others of its inbox.
	Dead bool
	// Why is for a person.
	Why string
}

// Base returns the firing from whose id the identities of the acts are made.
func (t *TriggerInfo) Base(firing string) string {
	if t.Deferral != nil {
		return t.Deferral.Firing
	}
	return firing
}

// HandlesEvent reports whether the firing handles an event. A recheck of an approval that
// an event asked for does not.
func (t *TriggerInfo) HandlesEvent() bool { return t.Event != nil && t.Approval == "" }

// Did reports whether an act was admitted when the event was handled before.
func (t *TriggerInfo) Did(identity string) bool {
	return t.Deferral != nil && slices.Contains(t.Deferral.Acts, identity)
}
