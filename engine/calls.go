package engine

import (
	"context"
	"fmt"
)

// One broken adapter must not take the other agents of the process down: a panic
// of one is its error.

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

func callFleet(ctx context.Context, f Fleet) (targets []Target, err error) {
	defer recovered(&err)
	return f.Targets(ctx)
}

func callPlan(ctx context.Context, act Actuator, p Proposal) (c Change, err error) {
	defer recovered(&err)
	return act.Plan(ctx, p)
}

func callApply(ctx context.Context, act Actuator, c Change) (out Outcome, err error) {
	defer recovered(&err)
	return act.Apply(ctx, c)
}

func callVerify(ctx context.Context, v Verifier, c Change) (out Outcome, err error) {
	defer recovered(&err)
	return v.Verify(ctx, c)
}

func callUndo(ctx context.Context, u Undoer, c Change) (out Outcome, err error) {
	defer recovered(&err)
	return u.Undo(ctx, c)
}

func callCourier(ctx context.Context, c Courier, to Destination, events []Event) (receipts []Receipt, err error) {
	defer recovered(&err)
	return c.Carry(ctx, to, events)
}

func callResume(ctx context.Context, r Resumer, c Change) (begun bool, err error) {
	defer recovered(&err)
	return r.Resume(ctx, c)
}
