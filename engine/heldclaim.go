package engine

import (
	"strings"
	"time"
)

// HeldClaim is a claim that is held, as processes exchange it and people read it.
type HeldClaim struct {
	Kind     string `json:"kind,omitempty"` // of the target
	Target   string `json:"target"`         // its namespace/name
	Claim    string `json:"claim"`
	Agent    string `json:"agent"`
	Strategy string `json:"strategy"`
	Verb     string `json:"verb"`
	// State is running; cooling, while the verb's cooldown lasts; or held, after that, while the
	// field is held against other agents.
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Identity string    `json:"identity"`
	// Until is the latest end: the act's deadline, or the end of cooldown and hold.
	Until time.Time `json:"until"`
	// Priority is that of the agent. An older process sends none.
	Priority int `json:"priority,omitempty"`
	// Wrote is when the act ended that wrote the field, zero while it runs; Change what it
	// changed, for a person; and Direction in which direction.
	Wrote     time.Time `json:"wrote,omitzero"`
	Change    string    `json:"change,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	// Peer is the URL of the process that holds it; "" is this one.
	Peer string `json:"peer,omitempty"`
}

// On returns the target.
func (c *HeldClaim) On() TargetID {
	namespace, name, _ := strings.Cut(c.Target, "/")
	return TargetID{c.Kind, namespace, name}
}

// Rebase returns the claim by a clock that may differ from the holder's: a claim that
// began in the future counts from now on.
func (c HeldClaim) Rebase(now time.Time) HeldClaim {
	if ahead := c.Since.Sub(now); ahead > 0 {
		c.Since, c.Until = now, c.Until.Add(-ahead)
		if !c.Wrote.IsZero() {
			c.Wrote = c.Wrote.Add(-ahead)
		}
	}
	return c
}
