package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/approval"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

const (
	// fleetDeadline bounds the listing of an agent's targets.
	fleetDeadline = 10 * time.Second
	// planDeadline bounds one plan, planStage all plans of a turn.
	planDeadline = 2 * time.Second
	planStage    = 5 * time.Second
	// mostDocuments bounds the documents of one agent that policies are tried on.
	mostDocuments = 50
)

// fire drives one turn, from its trigger to the start of its acts. recheck is the approved
// act that the turn rechecks, nil in any other.
//
// The decisions and intents are in the journal, in one transaction with the event, before
// an act begins. Where the journal can't be written, the turn samples and decides, and
// nothing is done. handled reports whether the event of the trigger is handled; failed is
// what failed in the strategies, "" for nothing.
func (a *agent) fire(ctx context.Context, trigger engine.TriggerInfo, recheck *engine.Approval, lag time.Duration) (handled bool, failed string) {
	now, rev := a.m.Clock.Now(), a.m.Policies.Pin()
	in := turn.Input{
		Now: now, Lag: lag, Trigger: trigger, Recheck: recheck, Revision: rev, Policy: a.m.Policies.Info(now), Deferred: len(a.inbox.deferred),
	}
	journalErr := a.load(ctx)
	if journalErr == nil {
		in.ID, journalErr = a.m.Journal.NextFiring(ctx)
	}
	a.fetch(ctx, &in)
	observed := a.Observe(in)
	if !observed.Blocked() {
		if err := a.rehearse(ctx, rev, &trigger, observed.Documents); err != nil {
			observed.Block(err)
		}
	}
	evaluated := observed.Evaluate(ctx, allCores)
	result := evaluated.Admit(a.plan(ctx, evaluated.Plans()))
	rec := &result.Record
	rec.Envelopes = a.notices(rec.Approvals)
	rec.Took = a.m.Clock.Now().Sub(now)
	if journalErr == nil {
		journalErr = a.m.Journal.RecordFiring(ctx, *rec)
	}
	switch {
	case journalErr == nil:
		clear(a.unwritten)
		result.Commit()
		a.m.Router.Wake(rec.Envelopes)
		a.inbox.recorded(rec.Trigger.Event, rec.Deferred)
		a.saveReadings(ctx, now)
		a.warnOfReversals(rec.Intents)
		a.runner.start(rec.Intents)
	case ctx.Err() != nil: // the agent stops, which is no fault
		result.Withdraw()
		return false, result.Failed
	default:
		approvals := rec.Approvals
		result.Fail(journalErr)
		a.rereadApprovals(ctx, approvals, journalErr)
		rec.Decisions = a.notYetReported(rec.Decisions)
	}
	a.m.Observer.Fired(*rec)
	a.setStatus(rec, journalErr)
	if in.FleetErr == nil {
		a.m.shared.listed(&a.spec, in.Fleet)
	}
	return !observed.Blocked() && journalErr == nil && result.Failed == "", result.Failed
}

// fetch lists the fleet and samples it, and has the settings of the sensors checked.
func (a *agent) fetch(ctx context.Context, in *turn.Input) {
	if a.fetchOnce(ctx, in); in.FleetErr != nil {
		return
	}
	a.sampler.check(ctx, in.Now, in.Errs)
	in.Problems = a.sampler.problems()
}

// fetchOnce lists the fleet and samples it.
func (a *agent) fetchOnce(ctx context.Context, in *turn.Input) {
	fleetCtx, cancel := context.WithTimeout(ctx, fleetDeadline)
	fleet, err := callFleet(fleetCtx, a.spec.Fleet)
	cancel()
	if in.FleetErr = err; err != nil {
		return
	}
	in.Fleet = turn.Sorted(fleet)
	in.Readings, in.Errs = a.sampler.sample(ctx, in.Now, in.Fleet)
}

// plan calls the actuators' Plan for each proposal. A dry run plans as a real one does.
func (a *agent) plan(ctx context.Context, wanted []engine.Proposal) []turn.Plan {
	ctx, cancel := context.WithTimeout(ctx, planStage)
	defer cancel()
	plans := make([]turn.Plan, len(wanted))
	parallel(a.m.Concurrency, len(wanted), func(i int) {
		one, cancel := context.WithTimeout(ctx, planDeadline)
		defer cancel()
		p := &plans[i]
		if p.Err = one.Err(); p.Err == nil {
			p.Change, p.Err = callPlan(one, a.m.verbs[wanted[i].Primitive].Actuator, wanted[i])
		}
	})
	return plans
}

// warnOfReversals logs the acts that take back what another agent did: two agents may want
// different values of one field.
func (a *agent) warnOfReversals(intents []engine.Intent) {
	for i := range intents {
		if in := &intents[i]; in.Reverses != nil {
			a.log.Warn("an act reverses that of another agent", "target", in.Target.ID(), "verb", in.Primitive, "change", in.Diff,
				"reverses", in.Reverses.Diff, "of", in.Reverses.Agent, "at", in.Reverses.At.UTC().Format(time.RFC3339), "dry_run", in.DryRun)
		}
	}
}

// notYetReported drops the decisions that the observers got since the journal failed: no
// record distinguishes repeats meanwhile.
func (a *agent) notYetReported(decisions []engine.Decision) []engine.Decision {
	return slices.DeleteFunc(decisions, func(d engine.Decision) bool {
		key := d.Target.String() + "|" + turn.Gist(&d)
		reported := a.unwritten[key]
		a.unwritten[key] = true
		return reported
	})
}

// notices returns the envelopes of the notices of new approvals.
func (a *agent) notices(changes []engine.ApprovalChange) []engine.Envelope {
	var out []engine.Envelope
	for _, c := range changes {
		if c.From != "" {
			continue
		}
		e := approval.Notice(&c.Approval)
		if e.Hops > engine.MaxHops { // the receiver triggers the request again, in a circle
			a.log.Warn("nobody is told of a question: it has come through too many events", "approval", c.Approval.ID, "hops", e.Hops)
			continue
		}
		out = append(out, a.m.Router.Notice(e, a.Name(), a.spec.Guards.ApprovalNotify)...)
	}
	return out
}

// rehearse has the strategies of this turn run elsewhere first, where Config.Rehearse is
// set: once for each trigger, and for each type of event. An error means that nobody knows
// whether they can run, and this turn runs none.
func (a *agent) rehearse(ctx context.Context, rev engine.Revision, trigger *engine.TriggerInfo, documents func(most int) []json.RawMessage) error {
	if a.m.Rehearse == nil {
		return nil
	}
	key := trigger.Kind + "/" + trigger.Name
	if trigger.Event != nil {
		key += "/" + trigger.Event.Type
	}
	if a.rehearsed[key] {
		return nil
	}
	if docs := documents(mostDocuments); len(docs) > 0 {
		if err := a.m.Rehearse(ctx, rev, a.spec.Strategies, docs); err != nil {
			return fmt.Errorf("the strategies are not asked before they were tried in a child process, after an end of the process that was not in order: %w", err)
		}
	}
	a.rehearsed[key] = true
	return nil
}
