package status

import (
	"cmp"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const (
	// countsEvery is the least time between two reports of an agent because its counts of
	// targets changed, unless the first target was refused or failed, or the last one is not
	// any more. In a large fleet the counts change at each firing.
	countsEvery = 30 * time.Second
	// failedFor is how long a target whose last act failed counts as failed though nothing is
	// proposed for it: the field may have the wanted value, and the pods may come up by themselves.
	failedFor = 30 * time.Minute
	// mostActs bounds the acts that are kept to explain the counts.
	mostActs = 1000
)

// counts are the targets of an agent whose proposals are not carried out.
type counts struct {
	standing engine.Standing
	// stalled are the acts that do not get on, by identity, in order.
	stalled []engine.Act
	// failures are the targets and verbs whose last act failed.
	failures map[actKey]failure

	refusedTargets, failedTargets, heldTargets *manifest.TargetCount // as reported last
	reportedAt                                 time.Time
	countsDue                                  bool // they differ from those reported
}

type failure struct {
	why string
	at  time.Time
}

type actKey struct {
	target    engine.TargetID
	primitive string
}

func newCounts() counts { return counts{failures: map[actKey]failure{}} }

// acted records the end of an act.
func (c *counts) acted(act *engine.Act) {
	c.resumed(act.Identity)
	key := actKey{act.Target.ID(), act.Primitive}
	switch {
	case act.Outcome.Status != engine.Failed:
		delete(c.failures, key)
	case len(c.failures) < mostActs || c.failures[key].why != "":
		c.failures[key] = failure{act.Outcome.Detail, act.EndedAt}
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
	refused, failed, held := c.at(now)
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
	c.refusedTargets, c.failedTargets, c.heldTargets = c.at(now)
	c.reportedAt, c.countsDue = now, false
	return true
}

// at returns the counts as they are; nil where there is none. An act that does not get on is
// shown before a proposal that waits, and a failure that is proposed again before one that is
// not.
func (c *counts) at(now time.Time) (refused, failed, held *manifest.TargetCount) {
	waits := engine.TargetCount{}
	for i := range c.stalled {
		act := &c.stalled[i]
		waits.Add(act.Target.ID(), act.Primitive, act.Outcome.Obstacle)
	}
	if waits.Targets += c.standing.Held.Targets; len(c.stalled) == 0 {
		waits = c.standing.Held
	}
	fails := c.standing.Failed
	if f := c.failures[actKey{fails.First, fails.Primitive}]; f.why != "" {
		fails.Why = f.why
	}
	if past := c.pastFailures(now); past.Targets > fails.Targets { // those that are proposed again are among them
		if fails.Targets == 0 {
			fails = past
		}
		fails.Targets = past.Targets
	}
	return shownCount(c.standing.Refused), shownCount(fails), shownCount(waits)
}

// pastFailures counts the targets whose last act failed a while ago, and forgets the others.
func (c *counts) pastFailures(now time.Time) engine.TargetCount {
	first, targets := actKey{}, map[engine.TargetID]bool{}
	for key, f := range c.failures {
		if now.Sub(f.at) > failedFor {
			delete(c.failures, key)
			continue
		}
		if len(targets) == 0 || key.before(first) {
			first = key
		}
		targets[key.target] = true
	}
	return engine.TargetCount{Targets: len(targets), First: first.target, Primitive: first.primitive, Why: engine.Clip(c.failures[first].why)}
}

func (k actKey) before(other actKey) bool {
	return cmp.Or(cmp.Compare(k.target.String(), other.target.String()), cmp.Compare(k.primitive, other.primitive)) < 0
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
