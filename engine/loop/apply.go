package loop

import (
	"context"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

// retry has the pauses before an act that failed is tried again.
var retry = backoff.Exponential{First: 200 * time.Millisecond, Most: 10 * time.Second}

const (
	verifyFirst = 100 * time.Millisecond
	verifyMost  = 2 * time.Second
	// undoDeadline bounds the undoing of an act that failed.
	undoDeadline = 30 * time.Second
)

// apply applies a change, again where the error is retryable, and follows it to its end. Its
// caller has entered. waits is called before the act waits for the world.
func (r *runner) apply(ctx context.Context, actuator engine.Actuator, in *engine.Intent, waits func()) engine.Outcome {
	stall := &stall{r: r, in: in}
	out, err := r.applyOnce(ctx, actuator, in.Change)
	for failures := 1; err != nil; failures++ {
		if !engine.IsRetryable(err) {
			return engine.Outcome{Status: engine.Failed, Detail: err.Error(), MissingRight: engine.MissingRight(err)}
		}
		stall.observe(engine.Outcome{Status: engine.Running, Detail: "it is tried again until its deadline", Obstacle: err.Error()})
		waits()
		if !engine.Sleep(ctx, r.m.Clock, retry.After(failures)) || !r.enter(ctx) {
			return engine.Outcome{Status: engine.Failed, Detail: "gave up at the deadline: " + err.Error()}
		}
		out, err = r.applyOnce(ctx, actuator, in.Change)
	}
	if r.m.verbs[in.Primitive].Delivered {
		return out
	}
	if out.Status == engine.Running {
		r.recordBegun(in)
		waits()
	}
	return r.verify(ctx, actuator, in, out, stall)
}

func (r *runner) applyOnce(ctx context.Context, actuator engine.Actuator, change engine.Change) (engine.Outcome, error) {
	defer r.leave()
	return callApply(ctx, actuator, change)
}

// recordBegun records that an act was applied which goes on, and which a restart would
// otherwise begin again: if it is not in place then, somebody undid it.
func (r *runner) recordBegun(in *engine.Intent) {
	if !in.Irreproducible {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, concludeDeadline)
	defer cancel()
	if err := r.store.Began(ctx, in.Identity); err != nil {
		r.log.Warn("not noted that an act has begun", "target", in.Target.ID(), "verb", in.Primitive, "identity", in.Identity, "error", err)
	}
}

// verify calls Verify until an applied act has ended, and undoes one that failed if its
// actuator can.
func (r *runner) verify(ctx context.Context, actuator engine.Actuator, in *engine.Intent, out engine.Outcome, stall *stall) engine.Outcome {
	out.Applied = true
	verifier, can := actuator.(engine.Verifier)
	began := r.m.Clock.Now()
	for wait := verifyFirst; can && out.Status == engine.Running; wait = min(2*wait, verifyPause(r.m.Clock.Now().Sub(began))) {
		if !engine.Sleep(ctx, r.m.Clock, wait) {
			out = pastDeadline(out)
			break
		}
		if !r.enter(ctx) {
			continue // the next sleep returns false
		}
		next, err := callVerify(ctx, verifier, in.Change)
		r.leave()
		switch {
		case err != nil && ctx.Err() != nil:
			continue // the deadline cut the call off, which says nothing of the act
		case err != nil:
			next = engine.Outcome{Status: engine.Running, Detail: out.Detail, Obstacle: err.Error(), MissingRight: engine.MissingRight(err)}
		}
		out, out.Applied = next, true
		stall.observe(out)
	}
	if out.Status == engine.Running || out.Status == "" {
		out = engine.Outcome{Status: engine.Failed, Detail: "its actuator can't tell whether it is done", Applied: true}
	}
	if out.Status == engine.Failed && r.ctx.Err() == nil {
		undone, err := r.undo(actuator, in.Change)
		out.Detail += undone
		if out.MissingRight == nil {
			out.MissingRight = engine.MissingRight(err)
		}
	}
	out.Obstacle = "" // of running acts only
	return out
}

// verifyPause returns the longest pause between two calls of Verify for an act that has been
// in progress for a time: one that takes hours is not verified every two seconds.
func verifyPause(since time.Duration) time.Duration {
	return min(max(verifyMost, since/20), 30*time.Second)
}

// undo undoes a failed act, and returns what came of it, for the outcome's detail.
func (r *runner) undo(actuator engine.Actuator, change engine.Change) (came string, err error) {
	undoer, can := actuator.(engine.Undoer)
	if !can {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, undoDeadline) // the act's own may be over
	defer cancel()
	out, err := callUndo(ctx, undoer, change)
	for failures := 1; err != nil && engine.IsRetryable(err) && engine.Sleep(ctx, r.m.Clock, retry.After(failures)); failures++ {
		out, err = callUndo(ctx, undoer, change)
	}
	if err != nil {
		return "; it could not be undone: " + err.Error(), err
	}
	return "; undone: " + out.Detail, nil
}
