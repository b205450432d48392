package engine

import (
	"fmt"
	"time"
)

// CallType is the event type under which the outbox keeps a call.
const CallType = "webhook"

// Call marks an event as the request of an act: Data is its body, ID the act's identity.
type Call struct {
	// For is how long the request is tried, from when it was queued.
	For time.Duration `json:"for_ns"`
	// DeadLetter makes it a dead letter where it fails: no strategy proposes it again.
	DeadLetter bool `json:"letter,omitempty"`
}

// Terms say how the outbox delivers an act.
type Terms struct {
	Call
	// Replaces is the identity of an older, equal act that waits in the outbox and is not
	// delivered any more.
	Replaces string `json:"replaces,omitempty"`
}

// OutcomeOfRedelivery returns the outcome of a call that failed, was redelivered by a
// person, and then succeeded.
func OutcomeOfRedelivery(failed, delivered Outcome) Outcome {
	delivered.Detail = Clip(fmt.Sprintf("%s; sent again, after it had failed: %s", delivered.Detail, failed.Detail))
	return delivered
}
