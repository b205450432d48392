package loop

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// recoverAgain is the pause before an intent is tried again that could not be recovered.
	recoverAgain = 5 * time.Second
	// giveUpAfter is the age at which an intent that can't be recovered is given up.
	giveUpAfter = time.Hour
)

// recovery ends the intents that a crash, a shutdown or a failed journal left without an
// outcome. It reads the current state: a change that is in place is done; one of a verb that
// sets a state and is not in place is abandoned, and the loop decides again; one that no
// strategy proposes again (a webhook; any act that an event or an approval caused) begins
// again under its identity, if the agent still may; one that goes on without this process
// (a workflow, a rollout) is followed to its end. Until then, an intent holds its claim.
//
// The loop's goroutine uses it.
type recovery struct {
	agent     *agent
	loaded    bool // the journal's state was read
	refreshed bool // the approvals were read since the agent runs
	open      []engine.Intent
	retryAt   time.Time
}

func (r *recovery) set(open []engine.Intent) { r.open, r.loaded = open, true }

func (r *recovery) setRefreshed() { r.refreshed = true }

// pending reports whether anything is left to load, to refresh or to recover.
func (r *recovery) pending() bool {
	return !r.loaded || !r.refreshed || len(r.open) > 0 || r.agent.runner.anyUnconcluded()
}

// nextDue returns when the recovery continues, and reports whether it has to.
func (r *recovery) nextDue() (time.Time, bool) { return r.retryAt, r.pending() }

func (r *recovery) rewind(now time.Time) { r.retryAt = engine.NotAfter(r.retryAt, now) }

// run continues the recovery, if it is due.
func (r *recovery) run(ctx context.Context) {
	now := r.agent.m.Clock.Now()
	if !r.pending() || now.Before(r.retryAt) {
		return
	}
	if err := r.agent.load(ctx); err == nil {
		r.agent.refreshApprovals(ctx)
		r.agent.runner.concludeLate(ctx)
		if err := r.recover(ctx); err != nil {
			r.agent.log.Warn("intents found open can't be settled yet", "intents", len(r.open), "error", err)
		}
	}
	r.retryAt = now.Add(recoverAgain)
}

func (r *recovery) recover(ctx context.Context) error {
	if len(r.open) == 0 {
		return nil
	}
	fleetCtx, cancel := context.WithTimeout(ctx, fleetDeadline)
	fleet, err := callFleet(fleetCtx, r.agent.spec.Fleet)
	cancel()
	if err != nil {
		return err
	}
	targets := make(map[engine.TargetID]*engine.Target, len(fleet))
	for i := range fleet {
		targets[fleet[i].ID()] = &fleet[i]
	}
	if err := r.leaveToOutbox(ctx); err != nil {
		return err
	}
	recovered := make([]bool, len(r.open))
	parallel(r.agent.m.Concurrency, len(r.open), func(i int) {
		one, cancel := context.WithTimeout(ctx, planDeadline)
		defer cancel()
		recovered[i] = r.recoverOne(one, r.open[i], targets[r.open[i].Target.ID()])
	})
	var left []engine.Intent
	for i, in := range r.open {
		if !recovered[i] {
			left = append(left, in)
		}
	}
	r.open = left
	return nil
}

// leaveToOutbox takes out the open acts that the outbox has, or has delivered: the outbox
// decides their outcome, whatever the agent may do now.
func (r *recovery) leaveToOutbox(ctx context.Context) error {
	m, run := r.agent.m, r.agent.runner
	delivered := func(in engine.Intent) bool { return m.verbs[in.Primitive].Delivered && !in.DryRun }
	if !slices.ContainsFunc(r.open, delivered) {
		return nil
	}
	messages, err := m.Journal.Messages(ctx, r.agent.Name(), -1)
	if err != nil {
		return err
	}
	waits := map[string]bool{}
	for _, message := range messages {
		if message.Box == engine.BoxOutbox && message.Event.Call != nil {
			waits[message.Event.ID] = true
		}
	}
	r.open = slices.DeleteFunc(r.open, func(in engine.Intent) bool {
		switch {
		case !delivered(in):
			return false
		case run.endIfDelivered(in.Identity, &in):
			return true
		case !waits[in.Identity]:
			return false
		}
		run.deliveries.add(&in)
		run.endIfDelivered(in.Identity, nil) // it may have been delivered just now
		return true
	})
	return nil
}

// recoverOne ends an open intent, begins it again, or follows it. It reports whether the
// intent needs no further try. target is nil where it is not in the fleet any more.
func (r *recovery) recoverOne(ctx context.Context, in engine.Intent, target *engine.Target) bool {
	run, mode := r.agent.runner, r.agent.spec.Mode
	now := r.agent.m.Clock.Now()
	end := func(status engine.Status, format string, args ...any) bool {
		r.agent.log.Info("settled an intent found open", "target", in.Target.ID(), "verb", in.Primitive, "identity", in.Identity, "outcome", status)
		run.conclude(&in, engine.Outcome{Status: status, Detail: fmt.Sprintf(format, args...), Applied: status == engine.Done && !in.DryRun}, now)
		return true
	}
	later := func(err error) bool {
		r.agent.log.Warn("an intent found open can't be settled yet", "target", in.Target.ID(), "verb", in.Primitive, "error", err)
		return false
	}
	verb, offered := r.agent.m.verbs[in.Primitive]
	switch {
	case in.DryRun:
		return end(engine.Done, "dry run")
	case !offered:
		return end(engine.Abandoned, "nothing here offers %s any more", in.Primitive)
	case now.Sub(in.At) > max(giveUpAfter, verb.Deadline):
		return end(engine.Abandoned, "not settled within %s", max(giveUpAfter, verb.Deadline))
	case verb.OneShot && mode != engine.Enforce:
		return false // until the agent is in mode enforce
	case verb.OneShot:
		if why := r.forbidden(&in); why != "" {
			return end(engine.Abandoned, "not sent after a restart: %s", why)
		}
		run.enqueue(in)
		return true
	}
	if target != nil { // the journal has no more than its name
		in.Target = *target
	}
	if resumer, can := verb.Actuator.(engine.Resumer); can {
		begun, err := callResume(ctx, resumer, in.Change)
		switch {
		case err != nil:
			return later(err)
		case begun:
			run.follow(in)
			return true
		case in.Begun:
			return end(engine.Abandoned, "it had begun, and is not there any more")
		case !in.Irreproducible:
			return end(engine.Abandoned, "it never began: decided afresh")
		}
	}
	in.Written = r.agent.Memory.Written(in.Target.ID(), in.Primitive)
	change, err := callPlan(ctx, verb.Actuator, in.Proposal)
	switch {
	case err != nil && (ctx.Err() != nil || engine.IsRetryable(err)):
		return later(err)
	case err != nil && target == nil:
		return end(engine.Abandoned, "its target is not there any more")
	case err != nil:
		return end(engine.Abandoned, "not to be found in place after a restart: %v", err)
	case change.NoOp && goesOn(ctx, verb.Actuator, in.Change):
		run.follow(in)
		return true
	case change.NoOp:
		return end(engine.Done, "found in place after a restart") // the intent has what was changed; the new plan, nothing
	case in.Begun:
		return end(engine.Abandoned, "it had begun, and is not in place any more: %s", change.Diff)
	case !in.Irreproducible:
		return end(engine.Abandoned, "not in place after a restart (%s): decided afresh", change.Diff)
	case mode != engine.Enforce:
		return false
	}
	if why := r.forbidden(&in); why != "" {
		return end(engine.Abandoned, "not begun after a restart: %s", why)
	}
	change.Proposal = in.Proposal
	in.Change = change
	run.enqueue(in)
	return true
}

// goesOn reports whether a change that is in place has not ended yet, such as a rollout whose
// pods are not ready.
func goesOn(ctx context.Context, actuator engine.Actuator, change engine.Change) bool {
	verifier, can := actuator.(engine.Verifier)
	if !can {
		return false
	}
	out, err := callVerify(ctx, verifier, change)
	return err == nil && out.Status != engine.Done
}

// forbidden returns why the current spec forbids an act that was admitted earlier; "" where
// it does not.
func (r *recovery) forbidden(in *engine.Intent) string {
	spec := &r.agent.spec
	if !slices.Contains(spec.Strategies, in.Strategy) {
		return in.Strategy + " is no longer among the agent's strategies"
	}
	if !slices.Contains(spec.Primitives, in.Primitive) {
		return in.Primitive + " is no longer among the agent's primitives"
	}
	if slices.Contains(spec.Guards.Approval, in.Primitive) && !r.agent.Approvals.UsedBy(in.Identity) {
		return in.Primitive + " waits for a person by now"
	}
	return r.agent.Bound(in.Proposal)
}
