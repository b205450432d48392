package status

import "github.com/scanflow-k8s/scanflow/engine"

// Fired records a firing, and reports the agent if its status shows a difference.
func (r *Reporter) Fired(f engine.FiringRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[f.Agent]
	if a == nil {
		return // deleted since
	}
	// The status is written again when the number of the problems changes, not their text: an
	// error may name another port each time.
	changed := a.targets != f.Targets || r.revision != f.Revision || len(a.problems) != len(f.Problems) || (a.blocked == "") != (f.Blocked == "")
	a.targets, a.problems, a.blocked, r.revision = f.Targets, f.Problems, f.Blocked, f.Revision
	if d, found := mostImportant(f); found {
		a.last, changed = lastDecision(f, d), true
	}
	r.lostAt(f.At, a, f.MissingRights...)
	if f.Standing != nil {
		a.standing = *f.Standing
	}
	if a.update(r.Clock.Now()) || changed {
		r.report(a)
	}
	if a.countsDue {
		r.wakeUp()
	}
}

// Acted records the right that an act lacked, and whether it failed.
func (r *Reporter) Acted(act engine.Act) {
	r.observe(&act, (*counts).acted)
}

// Stalled records an act that does not get on.
func (r *Reporter) Stalled(act engine.Act) {
	r.observe(&act, (*counts).stall)
}

func (r *Reporter) observe(act *engine.Act, record func(*counts, *engine.Act)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[act.Agent]
	if a == nil || act.DryRun {
		return
	}
	if act.Outcome.MissingRight != nil {
		r.lostAt(act.At, a, act.Outcome.MissingRight)
	}
	record(&a.counts, act)
	if a.update(r.Clock.Now()) {
		r.report(a)
	}
	if a.countsDue || len(a.failures) > 0 {
		r.wakeUp()
	}
}
