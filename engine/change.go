package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	// TakenOver names whose value of a field the change replaces for the first time, or again
	// because it was handed back; "" where the field was ours or nobody's.
	TakenOver string `json:"takenOver,omitempty"`
	// Terms is set by the engine where the outbox delivers the act.
	Terms *Terms `json:"terms,omitempty"`
	// Reverses is set by the engine where the change takes back what another agent wrote a
	// short time ago, nil elsewhere.
	Reverses *Reversal `json:"reverses,omitempty"`
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
