package loop

import (
	"context"
	"errors"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// approvalSlack is added to the age up to which ended approvals count, when they are read at a
// start.
const approvalSlack = time.Minute

// handlesApprovals reports whether the agent ends and rechecks approvals. A dry run does
// not: they belong to the agent in mode enforce, and wait for it.
func (a *agent) handlesApprovals() bool {
	return a.recovery.loaded && a.spec.Mode != engine.Paused && a.spec.Mode != engine.DryRun
}

// keepApprovalsSince returns since when ended approvals count: a denial counts as long as
// an approval waits, and an act that a crash left open is recovered for giveUpAfter.
func (a *agent) keepApprovalsSince(now time.Time) time.Time {
	return now.Add(-max(a.spec.Guards.ExpiryOfApproval(), giveUpAfter))
}

// refreshApprovals reads the decisions that people made between the load and the moment at
// which the agent runs and is passed them.
func (a *agent) refreshApprovals(ctx context.Context) {
	if a.Approvals.AnyWaiting() {
		now := a.m.Clock.Now()
		list, err := a.m.Journal.Approvals(ctx, a.Name(), a.keepApprovalsSince(now))
		if err != nil {
			a.log.Error("answers of persons can't be read yet", "error", err)
			return
		}
		for _, p := range list {
			a.Approvals.Merge(p, now)
		}
	}
	a.recovery.setRefreshed()
}

// handleApprovals rechecks the approved acts that are due, and ends the approvals that have
// expired.
func (a *agent) handleApprovals(ctx context.Context) {
	if !a.handlesApprovals() {
		return
	}
	now := a.m.Clock.Now()
	due, rebased := a.Approvals.Due(now, a.keepApprovalsSince(now))
	for _, c := range rebased {
		a.saveApproval(ctx, c)
	}
	for _, p := range due {
		now := a.m.Clock.Now() // those before it took their time
		switch {
		case ctx.Err() != nil:
			return
		case !now.Before(p.Expires):
			a.saveApproval(ctx, p.Expire(now))
		default:
			a.Approvals.Delay(p.ID, now)
			trigger := p.Trigger
			trigger.Approval = p.ID
			a.fire(ctx, trigger, &p, 0)
		}
	}
}

// saveApproval writes a change that comes with no turn. The end of what an event asked for
// gets a firing of its own. Where somebody else was first, or the journal failed, the
// journal's state counts.
func (a *agent) saveApproval(ctx context.Context, c engine.ApprovalChange) {
	a.Approvals.Delay(c.Approval.ID, a.m.Clock.Now())
	var err error
	if c.Approval.ForEvent() && c.Approval.State.Ended() {
		err = a.m.Approvals.End(ctx, c, a.spec.Mode)
	} else {
		err = a.m.Journal.SaveApproval(ctx, c)
	}
	if err != nil && !errors.Is(err, engine.ErrApprovalState) {
		a.log.Error("approval not written", "approval", c.Approval.ID, "error", err)
		return
	}
	a.rereadApproval(ctx, c.Approval.ID)
}

// rereadApprovals reads the approvals of a turn that the journal refused because somebody
// else changed one first.
func (a *agent) rereadApprovals(ctx context.Context, changes []engine.ApprovalChange, err error) {
	if !errors.Is(err, engine.ErrApprovalState) {
		return
	}
	for _, c := range changes {
		if c.From != "" {
			a.rereadApproval(ctx, c.Approval.ID)
		}
	}
}

func (a *agent) rereadApproval(ctx context.Context, id string) {
	p, err := a.m.Journal.Approval(ctx, id)
	if err != nil {
		a.log.Error("approval can't be read", "approval", id, "error", err)
		return
	}
	a.Approvals.Merge(p, a.m.Clock.Now())
}

// decided passes a person's decision to the agent, and wakes its loop.
func (a *agent) decided(p engine.Approval) {
	a.Approvals.Merge(p, a.m.Clock.Now())
	a.signal()
}
