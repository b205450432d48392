package turn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Executor calls do for 0..n-1, in any order and possibly at once, and returns when all
// have returned.
type Executor func(n int, do func(int))

// Serial calls do for 0..n-1 in order.
func Serial(n int, do func(int)) {
	for i := range n {
		do(i)
	}
}

// Evaluation is a turn whose strategies have proposed: the proposals that no guard refused
// so far want a plan.
type Evaluation struct {
	*Observation
	candidates []*candidate
	// failed is the failure of the strategies, "" for none.
	failed string
}

// anyStrategy stands in a Problem for all strategies.
const anyStrategy = "(any)"

// Evaluate runs on each target the strategies whose inputs changed, and the checks that need
// no plan. Targets are independent of each other: one that fails does not affect the
// others.
func (o *Observation) Evaluate(ctx context.Context, execute Executor) *Evaluation {
	a, rev := o.agent, o.in.Revision
	r := a.readsIn(rev)
	ids := make([]engine.TargetID, len(o.targets))
	for i, s := range o.targets {
		ids[i] = s.doc.Target.ID()
	}
	docs, versions := a.Memory.Documents(ids)
	forEvent := a.strategiesForEvent(r, &o.in.Trigger)
	out := make([][]*candidate, len(o.targets))
	var targets, evaluations atomic.Int64
	execute(len(o.targets), func(i int) {
		s := o.targets[i]
		defer func() {
			if p := recover(); p != nil { // in the Check or Claim of a verb: the turn ends for this target
				out[i], s.reads = nil, nil
				s.problems = []engine.Problem{{Strategy: anyStrategy, Message: fmt.Sprintf("panic: %v", p)}}
			}
		}()
		s.doc.Memory = docs[i]
		if changed := s.changed(r, versions[i]); len(changed) > 0 {
			e, ran := rev.EvaluateSome(ctx, r.names, changed, &s.doc)
			s.setEvaluation(r, ran, e)
			targets.Add(1)
			evaluations.Add(int64(len(ran)))
		}
		out[i] = a.decideTarget(ctx, rev, s, forEvent)
	})
	e := &Evaluation{Observation: o, candidates: withinTurn(slices.Concat(out...))}
	o.rec.Evaluated, o.rec.Evaluations = int(targets.Load()), int(evaluations.Load())
	e.countProblems()
	for _, c := range e.candidates {
		a.bound(c)
	}
	if o.in.Recheck != nil {
		e.keepRechecked()
	}
	return e
}

// decideTarget returns the candidates for one target.
func (a *Agent) decideTarget(ctx context.Context, rev engine.Revision, s *target, forEvent map[string]bool) []*candidate {
	if len(s.proposals) == 0 {
		return nil
	}
	kept, over := withinTarget(s.proposals)
	list := make([]*candidate, len(kept))
	for j, p := range kept {
		p.Reason, p.Primitive = engine.Clip(p.Reason), engine.Clip(p.Primitive)
		p.Agent, p.Target = a.name, s.doc.Target
		if e := s.doc.Trigger.Event; e != nil {
			p.Hops = e.Hops + 1
		}
		c := &candidate{Proposal: p, on: s, decision: decisionOf(p, s.rules[p.Strategy]), forEvent: forEvent[p.Strategy]}
		list[j] = c
		if n, is := over[j]; is {
			c.refuse(engine.ByBounds, "%d proposals of %s for one target, and %d are taken: this one and the rest are left out", n, p.Strategy, engine.ProposalsPerTarget)
			continue
		}
		a.validate(c, &s.doc)
	}
	arbitrate(list)
	for _, c := range list {
		if c.live() {
			review(ctx, rev, c, &s.doc)
		}
	}
	return list
}

// strategiesForEvent returns the strategies whose propose rules read the trigger: their
// proposals are for its event, and those of other strategies are not.
func (a *Agent) strategiesForEvent(r *agentReads, trigger *engine.TriggerInfo) map[string]bool {
	if trigger.Event == nil {
		return nil
	}
	of := make(map[string]bool, len(r.names))
	for _, strategy := range r.names {
		of[strategy] = r.forTrigger(strategy)
	}
	return of
}

// countProblems adds the problems of the strategies to the record, each with the number of
// targets.
func (e *Evaluation) countProblems() {
	problems := map[string]int{}
	for _, s := range e.targets {
		for _, p := range s.problems {
			problems[fmt.Sprintf("strategy %s: %s", p.Strategy, engine.Clip(p.Message))]++
		}
	}
	for _, text := range slices.Sorted(maps.Keys(problems)) {
		e.failed = text
		e.rec.Problems = append(e.rec.Problems, fmt.Sprintf("%s (%d of %d targets)", text, problems[text], len(e.targets)))
	}
}

// Plans returns the proposals that want a plan from their verb's actuator. Nothing changes
// their parameters any more.
func (e *Evaluation) Plans() []engine.Proposal {
	wanted := live(e.candidates)
	out := make([]engine.Proposal, len(wanted))
	for i, c := range wanted {
		c.Identity = engine.Identity(c.Proposal, e.in.Trigger.Base(e.in.ID))
		c.Written = e.agent.Memory.Written(c.Target.ID(), c.Primitive)
		out[i] = c.Proposal
	}
	return out
}

// Plan is an actuator's plan for a proposal, or why there is none.
type Plan struct {
	Change engine.Change
	Err    error
}

// setPlans takes the plans, in the order of Plans. A candidate that changes nothing ends
// here, and no guard counts it.
func (e *Evaluation) setPlans(plans []Plan) {
	for i, c := range live(e.candidates) {
		plan := &plans[i]
		c.change = plan.Change
		c.change.Proposal, c.change.Diff = c.Proposal, engine.Clip(c.change.Diff)
		switch {
		case errors.Is(plan.Err, engine.ErrNotPlanned):
			c.unplanned = plan.Err.Error()
		case plan.Err != nil:
			c.refuse(byPlan, "%s can't be planned: %v", c.Primitive, plan.Err)
			e.rec.MissingRights = engine.AddMissingRight(e.rec.MissingRights, plan.Err)
		case c.change.NoOp:
			c.decision.Verdict, c.decision.Detail = engine.Unchanged, c.change.Diff
		case c.decision.Detail != "":
			c.decision.Detail = c.change.Diff + " (" + c.decision.Detail + ")"
		default:
			c.decision.Detail = c.change.Diff
		}
	}
}
