package app

import (
	"context"
	"errors"
)

// logResumed logs what the last process left open and this one goes on with, if there is anything
// or the last process did not end in order.
func (a *App) logResumed(ctx context.Context) {
	acts, actsErr := a.Journal.OpenActs(ctx)
	boxes, boxesErr := a.Journal.Depths(ctx)
	approvals, approvalsErr := a.Journal.ApprovalsWaiting(ctx, a.opts.Clock.Now())
	if err := errors.Join(actsErr, boxesErr, approvalsErr); err != nil {
		a.opts.Log.Warn("what is resumed can't be counted", "error", err)
		return
	}
	if acts+boxes.Inbox+boxes.Outbox+approvals > 0 || a.recovery.Unclean() {
		a.opts.Log.Info("resumed what the last process left", "acts", acts, "events", boxes.Inbox, "deliveries", boxes.Outbox, "approvals", approvals)
	}
}
