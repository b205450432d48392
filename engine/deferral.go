package engine

import (
	"time"
)

// Deferral is kept with an event of whose acts a guard refused some.
type Deferral struct {
	// Firing is the firing that handled the event first. The identities of the event's acts
	// are made from it, however often the event is handled.
	Firing string `json:"firing"`
	// Acts are the identities of those that were admitted.
	Acts []string `json:"acts,omitempty"`
	// Since is when the event began to wait, At when it was last handled, and Until when it
	// is handled next: zero times for a dead letter.
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
