package engine

import (
	"fmt"
	"time"
)

// DefaultHold is how long a field stays held against other agents where the manifest does
// not say: as long as a HorizontalPodAutoscaler looks back before it scales down.
const DefaultHold = 5 * time.Minute

// ReversalWindow is the least time after a write in which an act of another agent in the
// opposite direction counts as a reversal.
const ReversalWindow = 10 * time.Minute

// Reversal is the earlier act of another agent that a change takes back: it scaled up, and
// the change scales down.
type Reversal struct {
	Agent string    `json:"agent"` // namespace/name
	Diff  string    `json:"diff"`  // "replicas 1 -> 7"
	At    time.Time `json:"at"`    // when that act ended
}

// Explain describes the reversal to a person: "reverses replicas 1 -> 7 by ns/a, 40s ago".
func (r *Reversal) Explain(now time.Time) string {
	return fmt.Sprintf("reverses %s by %s, %s ago", r.Diff, r.Agent, max(0, now.Sub(r.At)).Round(time.Second))
}

// LookBack returns how far back the acts of an agent count after a restart: for its guards,
// for the fields that it holds, and for those that find a reversal.
func (g *Guards) LookBack() time.Duration {
	return max(g.Horizon(), g.Hold, ReversalWindow)
}
