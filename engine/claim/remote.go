package claim

import (
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Remote provides the claims of agents in other processes, as last received.
type Remote struct {
	// Claims returns them by target. It must not block, and nobody changes the result. Nil
	// where no other process sends any.
	Claims func() map[engine.TargetID][]engine.HeldClaim
	// Local reports whether an agent runs in this process: its claims are in the Table.
	Local func(agent string) bool
}

// on returns the claims on a target that have not ended.
func (r *Remote) on(target engine.TargetID, now time.Time) []engine.HeldClaim {
	if r.Claims == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Claims()[target]), func(c engine.HeldClaim) bool {
		return !c.Until.After(now) || r.Local(c.Agent)
	})
}

// free returns the holder that keeps an act from taking its claim, nil where it is free.
func (r *Remote) free(k Key, now time.Time) *Holder {
	if k.Claim == "" {
		return nil
	}
	for _, c := range r.on(k.Target, now) {
		rival := c.State == running && slices.Contains(rollouts, c.Claim) && slices.Contains(rollouts, k.Claim)
		yields := c.State != running && k.Priority > c.Priority
		if c.Claim == k.Claim && !yields || rival {
			h := &Holder{Claim: claimOf(&c), Priority: c.Priority, Change: engine.Clip(c.Change), Peer: c.Peer}
			if c.State != running {
				h.Until, h.Wrote, h.byHold = c.Until, c.Wrote, c.State == held
			}
			return h
		}
	}
	return nil
}

// reversal returns the write of another process' agent that an act of a direction would take
// back, nil where none is known. A process tells what its agents wrote for as long as they
// hold it.
func (r *Remote) reversal(k Key, d engine.Direction, now time.Time) *engine.Reversal {
	for _, c := range r.on(k.Target, now) {
		if c.Claim != k.Claim || c.Wrote.IsZero() {
			continue
		}
		wrote := &Hold{Claim: claimOf(&c), end: &End{At: engine.NotAfter(c.Wrote, now)}, change: engine.Clip(c.Change), direction: c.Direction}
		if found := wrote.reversal(k, d); found != nil {
			return found
		}
	}
	return nil
}

func claimOf(c *engine.HeldClaim) engine.Claim {
	return engine.Claim{Name: c.Claim, Agent: c.Agent, Strategy: c.Strategy, Verb: c.Verb, State: c.State}
}
