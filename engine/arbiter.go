package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// candidate is a proposal on its way through the checks, with what became of it.
type candidate struct {
	Proposal
	slot     *slot
	verb     Verb
	claim    string
	decision Decision
	change   Change
	prior    *hold     // the claim's holder before, to be given back
	approval *Approval // a person's, which the act uses up; nil where it needs none
	replaces string    // the act that waits in the outbox, and which this one replaces
	ofEvent  bool      // its strategy reads the trigger, which is an event: it is what that asks for
	passes   time.Time // when the guard that refused it lets it pass, where that is known
}

// refuse ends a candidate's way. What a person let through says so, whoever holds it back.
func (c *candidate) refuse(by, format string, args ...any) {
	c.decision.Verdict, c.decision.By, c.decision.Detail = Refused, by, Clip(fmt.Sprintf(format, args...))
	if c.decision.Approval != nil {
		c.decision.Detail += fmt.Sprintf(" (%s)", c.decision.Approval)
	}
}

// direction is the change's, "" where its verb has none.
func (c *candidate) direction() Direction {
	if c.verb.Direction == nil {
		return ""
	}
	return c.verb.Direction(c.Proposal)
}

func (c *candidate) live() bool { return c.decision.Verdict == Admitted }

// arbitrate leaves one owner to each claim of a target: the highest priority, and
// among equals the first strategy by name. The losers are refused, with the
// winner's name. It gets the valid candidates of one target: one that may not
// speak at all must not silence another.
func arbitrate(candidates []*candidate) {
	order := slices.Clone(candidates)
	slices.SortStableFunc(order, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Strategy, b.Strategy), cmp.Compare(canonical(a.With), canonical(b.With)))
	})
	owner := map[string]*candidate{}
	for _, c := range order {
		if !c.live() || c.claim == "" {
			continue
		}
		won, taken := owner[c.claim]
		if !taken {
			owner[c.claim] = c
			continue
		}
		c.refuse("arbiter", "%s goes to %s, priority %d against %d", c.claim, won.Strategy, won.Priority, c.Priority)
	}
}

func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
