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
	// State is running or cooling.
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Identity string    `json:"identity"`
	// Until is the latest end: the act's deadline, or the end of the cooldown.
	Until time.Time `json:"until"`
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
	}
	return c
}
