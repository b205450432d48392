package engine

import (
	"cmp"
	"slices"
	"time"
)

// elsewhere are the claims on a target that agents of other processes hold, as last
// heard. What agents hold that run here is known better here.
func (h *Host) elsewhere(target TargetID, now time.Time) []HeldClaim {
	if h.Elsewhere == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(h.Elsewhere()[target]), func(c HeldClaim) bool {
		return !c.Until.After(now) || (*h.wanted.Load())[c.Agent]
	})
}

// claimsOn are the claims on a target for a document, by name. Where two processes took
// the same one, that of this process counts.
func (h *Host) claimsOn(target TargetID, now time.Time) []Claim {
	out := h.claims.of(target, now)
	for _, c := range h.elsewhere(target, now) {
		if !slices.ContainsFunc(out, func(o Claim) bool { return o.Name == c.Claim }) {
			out = append(out, c.claim())
		}
	}
	slices.SortFunc(out, func(x, y Claim) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// heldElsewhere is the claim of another process that keeps one from being taken.
func (h *Host) heldElsewhere(target TargetID, name string, now time.Time) (HeldClaim, bool) {
	if name == "" {
		return HeldClaim{}, false
	}
	for _, c := range h.elsewhere(target, now) {
		rival := c.State == "running" && slices.Contains(rollouts, c.Claim) && slices.Contains(rollouts, name)
		if c.Claim == name || rival {
			return c, true
		}
	}
	return HeldClaim{}, false
}

func (c HeldClaim) heldBy(name string) string {
	var until time.Time
	if c.State == "cooling" {
		until = c.Until
	}
	return heldBy(name, c.claim(), until) + ", at " + c.Peer
}

func (c HeldClaim) claim() Claim { return Claim{c.Claim, c.Agent, c.Strategy, c.Verb, c.State} }
