package turn

import (
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A recheck decides on an act that a person approved, before it begins: the strategies run
// again with the trigger of then and the signals of now, and the act begins only if they
// still propose it as it was approved, and every other guard admits it.

// keepRechecked drops the candidates that a recheck is not about. What else the strategies
// propose is for the next turn. One that was refused before the guards clamped it may be
// the approved act.
func (e *Evaluation) keepRechecked() {
	p := e.in.Recheck
	e.candidates = slices.DeleteFunc(e.candidates, func(c *candidate) bool {
		return c.Target.ID() != p.Target || c.Primitive != p.Primitive || c.Strategy != p.Strategy || c.live() && !isAbout(p, c)
	})
	for _, c := range live(e.candidates) {
		c.decision.Approval = p.Answer()
	}
}

// rechecked returns the change of an approval whose recheck did not admit the act: it lapses
// where the act is no longer proposed or would change nothing. Where a guard or a failing
// signal held the act back, or nothing could be decided, it is rechecked later.
func (e *Evaluation) rechecked() []engine.ApprovalChange {
	p := e.in.Recheck
	switch {
	case p == nil:
		return nil
	case e.blocked:
		return p.HoldBack("the targets can't be listed, or the strategies not be asked")
	}
	lapse := func(detail string) []engine.ApprovalChange {
		return []engine.ApprovalChange{p.Lapse(e.in.Now, detail)}
	}
	for _, c := range e.candidates {
		if c.decision.Verdict == engine.Unchanged {
			return lapse("nothing was left to change: " + c.decision.Detail)
		}
	}
	i := slices.IndexFunc(e.targets, func(s *target) bool { return s.doc.Target.ID() == p.Target })
	switch {
	case len(e.candidates) > 0:
		return p.HoldBack(heldBackBy(e.candidates))
	case i < 0:
		return lapse("its target is not there any more")
	case e.targets[i].failed(p.Strategy):
		return p.HoldBack(p.Strategy + " failed, and said nothing")
	}
	if signal := e.missingSignal(e.targets[i], p.Because); signal != "" {
		return p.HoldBack(signal)
	}
	return lapse(p.Strategy + " does not propose it any more")
}

// failed reports whether a strategy failed for a target, so that it proposed nothing.
func (s *target) failed(strategy string) bool {
	return slices.ContainsFunc(s.problems, func(p engine.Problem) bool { return p.Strategy == strategy || p.Strategy == anyStrategy })
}

// missingSignal returns a signal of the evidence ("load", "load:empty") that is neither in
// the required state nor OK, with its state; "" where there is none.
func (e *Evaluation) missingSignal(s *target, because []string) string {
	for _, evidence := range because {
		name, want, _ := strings.Cut(evidence, ":")
		j := slices.Index(e.agent.names, name)
		if j < 0 {
			continue
		}
		if is := &s.doc.Signals[j]; is.State != engine.OK && is.State != engine.State(want) {
			return engine.Clip("the signal " + name + " is " + strings.TrimSuffix(string(is.State)+": "+is.Problem, ": "))
		}
	}
	return ""
}

// heldBackBy returns the guard that holds the approved act back, and its reason; "" where the
// act is admitted.
func heldBackBy(candidates []*candidate) string {
	if len(live(candidates)) > 0 { // two proposals of it are one act
		return ""
	}
	for _, c := range candidates {
		if d := &c.decision; d.Verdict == engine.Refused {
			why := strings.TrimSuffix(d.Detail, " ("+d.Approval.String()+")")
			if d.Guard == "" { // a guard in Rego is named in the detail
				why = d.By + ": " + why
			}
			return why
		}
	}
	return ""
}

// lapsedDecisions returns the decisions on what an event asked for and a recheck did not
// find.
func lapsedDecisions(changes []engine.ApprovalChange, candidates []*candidate) (out []engine.Decision) {
	for _, c := range changes {
		if p := c.Approval; p.State == engine.ApprovalLapsed && p.ForEvent() && len(candidates) == 0 {
			out = append(out, p.Refusal(p.Detail))
		}
	}
	return out
}
