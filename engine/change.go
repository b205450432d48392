package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Direction separates changes that add from changes that take away, for the guards that
// treat the two differently. Most verbs have none.
type Direction string

const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Change is a proposal with the plan that its actuator made from the current state. The
// plan is written to the journal, so it holds no secret.
type Change struct {
	Proposal `json:"-"`
	// NoOp is set where the current state is the wanted one. A no-op is never applied,
	// starts no cooldown and spends no budget.
	NoOp bool `json:"noOp,omitempty"`
	// Diff describes the change to a person: "replicas 1 -> 4".
	Diff string `json:"diff"`
	// Data belongs to the actuator, which gets it back in Apply, Verify and Undo.
	Data json.RawMessage `json:"data,omitempty"`
	// Terms is set by the engine where the outbox delivers the act.
	Terms *Terms `json:"terms,omitempty"`
}

// Planned returns the change of an actuator's Plan; data has to be JSON.
func Planned(p Proposal, noOp bool, diff string, data any) (Change, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Change{}, fmt.Errorf("%s: write the plan: %w", p.Primitive, err)
	}
	return Change{Proposal: p, NoOp: noOp, Diff: diff, Data: raw}, nil
}

// ReadPlan decodes the data that Plan left for Apply and Verify.
func ReadPlan[T any](c Change) (data T, err error) {
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return data, fmt.Errorf("%s: read the plan: %w", c.Primitive, err)
	}
	return data, nil
}

// Status is the state of an act.
type Status string

const (
	Running Status = "running" // in progress; Verify is called until it ends or its deadline passes
	Done    Status = "done"
	Failed  Status = "failed"
	NoOp    Status = "noop"
	// Abandoned is the status of an intent that a crash left open and whose change is not
	// in place: the loop decides again.
	Abandoned Status = "abandoned"
)

// Outcome is the result of an act.
type Outcome struct {
	Status Status `json:"status"`
	// Detail is for a person, and holds no secret.
	Detail string `json:"detail,omitempty"`
	// Applied reports whether the change was written, even if the act failed later. The
	// engine sets it.
	Applied bool `json:"applied,omitempty"`
}

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

// Identity names the change that a proposal asks for, within the firing that admits it:
// applying it twice has the effect of applying it once. It is the hex of the first 16
// bytes of a SHA-256 over agent, target, strategy, verb, parameters and firing.
func Identity(p Proposal, firing string) string {
	with, err := json.Marshal(p.With) // keys sorted
	if err != nil {
		with = []byte(fmt.Sprint(p.With))
	}
	h := sha256.New()
	for _, part := range []string{p.Agent, p.Target.Kind, p.Target.Namespace, p.Target.Name, p.Strategy, p.Primitive, string(with), firing} {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

type retryError struct {
	err   error
	after time.Duration
}

func (e retryError) Error() string { return e.err.Error() }
func (e retryError) Unwrap() error { return e.err }

// RetryAfter is the least time to wait before the next try.
func (e retryError) RetryAfter() time.Duration { return e.after }

// RetryLater is Retry for an error that sets the least time before the next try.
func RetryLater(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return retryError{err, after}
}

// Retry marks an error as temporary: a timeout, a 503.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return retryError{err: err}
}

// IsRetryable reports whether an error was marked by Retry or RetryLater.
func IsRetryable(err error) bool {
	var r retryError
	return errors.As(err, &r)
}

// Later is a temporary error that sets the least time before the next try.
type Later interface{ RetryAfter() time.Duration }
