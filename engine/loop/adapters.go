package loop

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A panic of an adapter becomes its error, so that a broken one does not end the process
// with its other agents.

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

func callFleet(ctx context.Context, f engine.Fleet) (targets []engine.Target, err error) {
	defer recovered(&err)
	return f.Targets(ctx)
}

func callSensor(ctx context.Context, s engine.SensorSpec, at time.Time, fleet []engine.Target) (r engine.Reading, err error) {
	defer recovered(&err)
	r, err = s.Sensor.Sample(ctx, at, fleet)
	if err == nil && len(r) != len(fleet) {
		return nil, fmt.Errorf("answered for %d targets, asked for %d", len(r), len(fleet))
	}
	return r, err
}

func callPlan(ctx context.Context, act engine.Actuator, p engine.Proposal) (c engine.Change, err error) {
	defer recovered(&err)
	return act.Plan(ctx, p)
}

func callApply(ctx context.Context, act engine.Actuator, c engine.Change) (out engine.Outcome, err error) {
	defer recovered(&err)
	return act.Apply(ctx, c)
}

func callVerify(ctx context.Context, v engine.Verifier, c engine.Change) (out engine.Outcome, err error) {
	defer recovered(&err)
	return v.Verify(ctx, c)
}

func callUndo(ctx context.Context, u engine.Undoer, c engine.Change) (out engine.Outcome, err error) {
	defer recovered(&err)
	return u.Undo(ctx, c)
}

func callResume(ctx context.Context, r engine.Resumer, c engine.Change) (begun bool, err error) {
	defer recovered(&err)
	return r.Resume(ctx, c)
}
