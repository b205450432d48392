package engine

import (
	"context"
	"strings"
	"time"
)

// Actuator carries out one verb. Plan only reads: a dry run never calls Apply.
//
// Errors: one marked by Retry or RetryLater is tried again with back-off until the act's
// deadline, under the same identity; any other is final.
type Actuator interface {
	Plan(ctx context.Context, p Proposal) (Change, error)
	Apply(ctx context.Context, c Change) (Outcome, error)
}

// Verifier is an Actuator that can check whether its change took effect. It is called
// after Apply, until it returns another status than Running.
type Verifier interface {
	Verify(ctx context.Context, c Change) (Outcome, error)
}

// Undoer is an Actuator that can revert its change. It is called where an act was applied
// and failed later, such as a rollout that was not ready by its deadline. It does not
// revert what somebody else has written since.
type Undoer interface {
	Undo(ctx context.Context, c Change) (Outcome, error)
}

// Resumer is a Verifier whose act goes on while this process is down, such as a workflow.
// After a crash, such an act is followed to its end.
type Resumer interface {
	Verifier
	// Resume reports whether the act of this identity has begun.
	Resume(ctx context.Context, c Change) (begun bool, err error)
}

// Verb is a primitive that this process offers.
type Verb struct {
	Actuator Actuator
	// Claim returns the field that the verb writes, given its parameters: "replicas",
	// "traffic", "object/KIND/NAME"; nil where it writes none (event.send, webhook).
	Claim func(with map[string]any) string
	// Check returns every mistake in the parameters, as "with.replicas: must be a whole
	// number"; nil accepts all.
	Check func(with map[string]any) []string
	// Direction returns whether the change adds or takes away; nil where the verb has none.
	Direction func(p Proposal) Direction
	// Deadline bounds the whole act, verification included; 0 means DefaultActDeadline.
	Deadline time.Duration
	// OneShot is set for a verb that no strategy proposes again if the act is lost (a
	// webhook, an event): after a crash it is sent again under its identity. Other verbs
	// set a state, and the loop decides again.
	OneShot bool
	// Delivered is set where Apply hands a request to the outbox and returns Running: the
	// outbox reports the outcome.
	Delivered bool
	// Transient is set where the act leaves no field behind that another agent could write
	// over (a run of a workflow): its claim is not held after it.
	Transient bool
}

// Field returns the field that every act of the verb writes, whatever its parameters; "" where
// they decide, or where it writes none.
func (v *Verb) Field() string {
	if v.Claim == nil || v.Transient {
		return ""
	}
	if name := v.Claim(nil); !strings.Contains(name, "/") {
		return name
	}
	return ""
}

// DefaultActDeadline bounds an act where its verb sets no deadline.
const DefaultActDeadline = time.Minute

// ActDeadline returns the time that the whole act may take.
func (v *Verb) ActDeadline() time.Duration {
	if v.Deadline > 0 {
		return v.Deadline
	}
	return DefaultActDeadline
}
