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

// Direction tells a change that adds from one that takes away, for the guards
// that treat the two differently. Most verbs have none.
type Direction string

const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Change is what a primitive would do, as its actuator planned it from the world
// as it is. It is written to the journal, so it holds no secret.
type Change struct {
	Proposal Proposal `json:"-"`
	Identity string   `json:"identity"`
	// NoOp says that the world is already as wanted. A no-op is never applied,
	// starts no cooldown and spends no budget.
	NoOp bool `json:"noOp,omitempty"`
	// Diff is for a person: "replicas 1 -> 4".
	Diff string `json:"diff"`
	// Data is the actuator's own, carried from Plan to Apply and Verify.
	Data json.RawMessage `json:"data,omitempty"`
	// Terms are set by the engine of an act that the outbox delivers.
	Terms *Terms `json:"terms,omitempty"`
}

// Planned puts together what an actuator's Plan found; data is for its Apply and
// Verify, and has to be JSON.
func Planned(p Proposal, noOp bool, diff string, data any) (Change, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Change{}, fmt.Errorf("%s: write the plan: %w", p.Primitive, err)
	}
	return Change{Proposal: p, Identity: p.Identity, NoOp: noOp, Diff: diff, Data: raw}, nil
}

// ReadPlan is the data that Plan left for Apply and Verify.
func ReadPlan[T any](c Change) (data T, err error) {
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return data, fmt.Errorf("%s: read the plan: %w", c.Proposal.Primitive, err)
	}
	return data, nil
}

// Status is how an act stands.
type Status string

const (
	Running Status = "running" // under way; Verify is asked until it is done or its deadline passes
	Done    Status = "done"
	Failed  Status = "failed"
	NoOp    Status = "noop"
	// Abandoned is an intent found open after a crash, whose change is not in the
	// world: the loop decides afresh.
	Abandoned Status = "abandoned"
)

// Outcome is what really happened.
type Outcome struct {
	Status Status `json:"status"`
	// Detail is for a person, and holds no secret.
	Detail string `json:"detail,omitempty"`
	// Applied says that the change was written, whatever became of it after that. The
	// engine sets it.
	Applied bool `json:"applied,omitempty"`
}

// Actuator carries out one verb. Plan only reads: a dry run never calls Apply.
//
// Errors: one that wraps ErrRetry is tried again with back-off until the act's
// deadline, under the same identity; any other is final.
type Actuator interface {
	Plan(ctx context.Context, p Proposal) (Change, error)
	Apply(ctx context.Context, c Change) (Outcome, error)
}

// Verifier is an Actuator that can see whether its change took. It is asked
// after Apply, until it says other than Running.
type Verifier interface {
	Verify(ctx context.Context, c Change) (Outcome, error)
}

// Undoer is an Actuator that can put back what it changed. It is asked where an act
// was applied and failed after that: a rollout that did not get ready by its
// deadline. It leaves alone what somebody else has written since.
type Undoer interface {
	Undo(ctx context.Context, c Change) (Outcome, error)
}

// Resumer is a Verifier whose act goes on in the world while this process is gone:
// a workflow. Found open after a crash, such an act is followed to its end.
type Resumer interface {
	Verifier
	// Resume tells whether the act has begun, under its identity.
	Resume(ctx context.Context, c Change) (begun bool, err error)
}

// Verb is a primitive that this process offers.
type Verb struct {
	Actuator Actuator
	// Claim names the field that the verb writes, given its parameters: "replicas",
	// "traffic", "object/KIND/NAME"; nil where it writes none (event.send, webhook).
	Claim func(with map[string]any) string
	// Check names every mistake in the parameters, as "with.replicas: must be a whole number"; nil accepts all.
	Check func(with map[string]any) []string
	// Direction tells whether the change adds or takes away; nil where the verb has none.
	Direction func(p Proposal) Direction
	// Deadline bounds the whole act, verification included; 0 takes DefaultActDeadline.
	Deadline time.Duration
	// OneShot says that nobody would propose it again if it were lost (a webhook, an
	// event): found open after a crash it is sent again under its identity. The others
	// set a state, and the loop decides afresh.
	OneShot bool
	// Delivered says that Apply hands a request to the outbox (Host.Call) and returns
	// Running: what becomes of it is told by who answers it.
	Delivered bool
}

// DefaultActDeadline bounds an act where its verb sets none.
const DefaultActDeadline = time.Minute

// Identity names the change that a proposal asks for, within the firing that
// admits it: applying it twice is applying it once. It is the hex of the first
// 16 bytes of a SHA-256 over agent, target, strategy, verb, parameters and firing.
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

// RetryAfter is when it may be tried again at the soonest.
func (e retryError) RetryAfter() time.Duration { return e.after }

// RetryLater is Retry for an error that says when it may be tried again.
func RetryLater(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return retryError{err, after}
}

// Retry marks an actuator's error as one that may pass: a timeout, a 503.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return retryError{err: err}
}

// MayPass tells whether an error was marked by Retry.
func MayPass(err error) bool {
	var r retryError
	return errors.As(err, &r)
}
