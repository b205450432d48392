package status

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const (
	// countsEvery is the least time between two reports of an agent because its counts of
	// targets changed, unless the first target was refused or failed, or the last one is not
	// any more. In a large fleet the counts change at each firing.
	countsEvery = 30 * time.Second
	// mostActs bounds the acts that are kept to explain the counts.
	mostActs = 1000
)

// counts are the targets of an agent whose proposals are not carried out.
type counts struct {
	standing engine.Standing
	// stalled are the acts that do not get on, by identity, in order.
	stalled []engine.Act
	// failures are the details of the last act of each target and verb that failed.
	failures map[actKey]string

	refusedTargets, failedTargets, heldTargets *manifest.TargetCount // as reported last
	reportedAt                                 time.Time
	countsDue                                  bool // they differ from those reported
}

type actKey struct {
	target    engine.TargetID
	primitive string
}

func newCounts() counts { return counts{failures: map[actKey]string{}} }

// acted records the end of an act.
func (c *counts) acted(act *engine.Act) {
	c.resumed(act.Identity)
	key := actKey{act.Target.ID(), act.Primitive}
	switch {
	case act.Outcome.Status != engine.Failed:
		delete(c.failures, key)
	case len(c.failures) < mostActs || c.failures[key] != "":
		c.failures[key] = act.Outcome.Detail
	}
}

// stall records an act that does not get on.
func (c *counts) stall(act *engine.Act) {
	c.resumed(act.Identity)
	if act.Outcome.Obstacle != "" && len(c.stalled) < mostActs {
		c.stalled = append(c.stalled, *act)
	}
}

func (c *counts) resumed(identity string) {
	for i := range c.stalled {
		if c.stalled[i].Identity == identity {
			c.stalled = append(c.stalled[:i:i], c.stalled[i+1:]...)
			return
		}
	}
}

// update takes over the counts of a firing, and reports whether they should be written now.
func (c *counts) update(now time.Time) bool {
	refused, failed, held := c.now()
	c.countsDue = differ(refused, c.refusedTargets) || differ(failed, c.failedTargets) || differ(held, c.heldTargets)
	if (refused == nil) != (c.refusedTargets == nil) || (failed == nil) != (c.failedTargets == nil) {
		c.reportedAt = time.Time{}
	}
	return c.takeCounts(now)
}

// takeCounts makes the counts those to report, if it is time, and reports whether they changed.
func (c *counts) takeCounts(now time.Time) bool {
	if !c.countsDue || now.Sub(c.reportedAt) < countsEvery {
		return false
	}
	c.refusedTargets, c.failedTargets, c.heldTargets = c.now()
	c.reportedAt, c.countsDue = now, false
	return true
}

// now returns the counts as they are; nil where there is none. An act that does not get on
// is shown before a proposal that waits.
func (c *counts) now() (refused, failed, held *manifest.TargetCount) {
	waits := engine.TargetCount{}
	for i := range c.stalled {
		act := &c.stalled[i]
		waits.Add(act.Target.ID(), act.Primitive, act.Outcome.Obstacle)
	}
	if waits.Targets += c.standing.Held.Targets; len(c.stalled) == 0 {
		waits = c.standing.Held
	}
	fails := c.standing.Failed
	if why := c.failures[actKey{fails.First, fails.Primitive}]; why != "" {
		fails.Why = why
	}
	return shownCount(c.standing.Refused), shownCount(fails), shownCount(waits)
}

func shownCount(c engine.TargetCount) *manifest.TargetCount {
	if c.Targets == 0 {
		return nil
	}
	return &manifest.TargetCount{Targets: c.Targets, First: c.First.String(), Primitive: c.Primitive, Why: c.Why}
}

// differ compares what a change is reported for. The text of a reason has times in it, which
// change at each firing.
func differ(a, b *manifest.TargetCount) bool {
	if a == nil || b == nil {
		return a != b
	}
	return a.Targets != b.Targets || a.First != b.First || a.Primitive != b.Primitive
}
