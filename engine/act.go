package engine

import (
	"context"
	"time"
)

const (
	// concludeDeadline bounds the writing of an outcome, after the act's own deadline;
	// concludeHurry once the agent is being stopped.
	concludeDeadline = 10 * time.Second
	concludeHurry    = time.Second
	retryFirst       = 200 * time.Millisecond
	retryMost        = 10 * time.Second
	verifyFirst      = 100 * time.Millisecond
	verifyMost       = 2 * time.Second
)

// dispatch sets acts going whose intents are in the journal. The firing does not
// wait for them: a slow one holds its claim, and nothing else.
func (a *agent) dispatch(intents []Intent) {
	for _, in := range intents {
		a.replace(in)
		a.mu.Lock()
		a.memoryOf(in.Target).began(in)
		a.mu.Unlock()
	}
	a.enqueue(intents...)
}

// begin does an act when its turn comes: a queue of others must not eat up its
// deadline. waits is called before it waits for the world.
func (a *agent) begin(in Intent, waits func()) {
	if !in.DryRun && !a.enter(a.actCtx) {
		a.letGo(in) // the next start finds the intent, and settles it
		return
	}
	a.carryOut(in, func(ctx context.Context, actuator Actuator, in Intent) Outcome {
		return a.apply(ctx, actuator, in, waits)
	})
}

// carryOut does an act, or follows one that is under way, and writes what became of
// it. Cut off by a shutdown, it writes no outcome: the next start finds the intent
// open and settles it.
func (a *agent) carryOut(in Intent, do func(context.Context, Actuator, Intent) Outcome) {
	verb := a.host.Verbs[in.Primitive]
	deadline := verb.Deadline
	if deadline <= 0 {
		deadline = DefaultActDeadline
	}
	ctx, cancel := context.WithTimeout(a.actCtx, deadline)
	defer cancel()
	out := Outcome{Status: Done, Detail: "dry run"}
	if verb.Delivered && !in.DryRun {
		if ended, is := a.host.callEnded(in.Identity); is { // while this agent did not run
			a.over(in, ended.Outcome, ended.At)
			return
		}
		a.mu.Lock()
		a.onItsWay(in)
		a.mu.Unlock()
	}
	if !in.DryRun { // the only place where anything is applied
		out = do(ctx, verb.Actuator, in)
	}
	if verb.Delivered && out.Status == Running {
		a.givenToOutbox(in)
		return
	}
	a.mu.Lock()
	delete(a.sent, in.Identity)
	a.mu.Unlock()
	if a.actCtx.Err() != nil && out.Status != Done {
		a.log.Warn("act cut off by shutdown, to be settled by the next start", "target", in.Target, "verb", in.Primitive, "identity", in.Identity)
		a.letGo(in)
		return
	}
	a.finish(in, out, a.host.Clock.Now())
}

// apply applies a change, again where the error may pass, and follows it. It is
// called in room.
func (a *agent) apply(ctx context.Context, actuator Actuator, in Intent, waits func()) Outcome {
	change := in.Change
	out, err := a.applyOnce(ctx, actuator, change)
	for wait := retryFirst; err != nil; wait = min(2*wait, retryMost) {
		if !MayPass(err) {
			return Outcome{Status: Failed, Detail: err.Error()}
		}
		if wait == retryFirst {
			a.log.Warn("act failed, and is tried again until its deadline", "target", change.Proposal.Target.ID(), "verb", change.Proposal.Primitive, "error", err)
		}
		waits()
		if !Sleep(ctx, a.host.Clock, wait) || !a.enter(ctx) {
			return Outcome{Status: Failed, Detail: "gave up at the deadline: " + err.Error()}
		}
		out, err = a.applyOnce(ctx, actuator, change)
	}
	if a.host.Verbs[in.Primitive].Delivered {
		return out
	}
	a.began(in, out)
	if out.Status == Running {
		waits()
	}
	return a.verify(ctx, actuator, change, out)
}

// began notes that an act was applied which goes on, and which a restart would else
// begin again: if it is not in place by then, somebody undid it.
func (a *agent) began(in Intent, out Outcome) {
	if !in.Once || out.Status != Running {
		return
	}
	ctx, cancel := context.WithTimeout(a.actCtx, concludeDeadline)
	defer cancel()
	if err := a.host.Journal.Began(ctx, in.Identity); err != nil {
		a.log.Warn("not noted that an act has begun", "target", in.Target, "verb", in.Primitive, "identity", in.Identity, "error", err)
	}
}

func (a *agent) applyOnce(ctx context.Context, actuator Actuator, change Change) (Outcome, error) {
	defer a.leave()
	return callApply(ctx, actuator, change)
}

// enter waits for room for one call of an adapter: so many of the agent's are under
// way at most. Between its calls an act takes up none. It returns false if the
// context ended first.
func (a *agent) enter(ctx context.Context) bool {
	select {
	case a.room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *agent) leave() { <-a.room }

// follow verifies an act that an earlier life of the agent applied.
func (a *agent) follow(ctx context.Context, actuator Actuator, in Intent) Outcome {
	return a.verify(ctx, actuator, in.Change, Outcome{Status: Running, Detail: "found under way after a restart"})
}

// verify asks until an act that was applied has ended, and puts back one that failed
// if that can be done.
func (a *agent) verify(ctx context.Context, actuator Actuator, change Change, out Outcome) Outcome {
	out.Applied = true
	verifier, can := actuator.(Verifier)
	began := a.host.Clock.Now()
	for wait := verifyFirst; can && out.Status == Running; wait = min(2*wait, verifyPause(a.host.Clock.Now().Sub(began))) {
		if !Sleep(ctx, a.host.Clock, wait) {
			out = Outcome{Status: Failed, Detail: "not done by its deadline: " + out.Detail, Applied: true}
			break
		}
		if !a.enter(ctx) {
			continue // the sleep sees that the time is up
		}
		next, err := callVerify(ctx, verifier, change)
		a.leave()
		if err != nil {
			next = Outcome{Status: Running, Detail: err.Error()}
		}
		out, out.Applied = next, true
	}
	if out.Status == Running || out.Status == "" {
		out = Outcome{Status: Failed, Detail: "its actuator can't tell whether it is done", Applied: true}
	}
	if out.Status == Failed && a.actCtx.Err() == nil {
		out.Detail += a.undo(actuator, change)
	}
	return out
}

// verifyPause is the longest pause before an act that has gone on for so long is
// looked at again: one that takes hours need not be asked every two seconds.
func verifyPause(since time.Duration) time.Duration {
	return min(max(verifyMost, since/20), 30*time.Second)
}

// undoDeadline bounds the putting back of an act that failed.
const undoDeadline = 30 * time.Second

// undo puts a failed act back, and says how that went.
func (a *agent) undo(actuator Actuator, change Change) string {
	undoer, can := actuator.(Undoer)
	if !can {
		return ""
	}
	ctx, cancel := context.WithTimeout(a.actCtx, undoDeadline) // the act's own may be over
	defer cancel()
	out, err := callUndo(ctx, undoer, change)
	for wait := retryFirst; err != nil && MayPass(err) && Sleep(ctx, a.host.Clock, wait); wait = min(2*wait, retryMost) {
		out, err = callUndo(ctx, undoer, change)
	}
	if err != nil {
		return "; it could not be undone: " + err.Error()
	}
	return "; undone: " + out.Detail
}

// finish writes an outcome, and has the act be over.
func (a *agent) finish(in Intent, out Outcome, at time.Time) {
	patience := concludeDeadline
	if a.actCtx.Err() != nil {
		patience = concludeHurry
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.actCtx), patience)
	defer cancel()
	out.Detail = Clip(out.Detail)
	done := Conclusion{in.Identity, out, at}
	if err := a.host.Journal.Conclude(ctx, done); err != nil {
		// It is tried again; until then the intent is open, and a start would settle it.
		a.log.Error("outcome not written", "target", in.Target, "verb", in.Primitive, "outcome", out.Status, "error", err)
		a.mu.Lock()
		a.unconcluded = append(a.unconcluded, done)
		a.mu.Unlock()
	}
	a.over(in, out, at)
}

// over gives the claim of an act to its cooldown, and remembers the act.
func (a *agent) over(in Intent, out Outcome, at time.Time) {
	a.mu.Lock()
	a.memoryOf(in.Target).ended(in, out, at, a.host.Verbs[in.Primitive].Delivered)
	a.mu.Unlock()
	until := at
	if out.Status == Done || out.Status == Failed {
		until = at.Add(a.spec.Guards.Cooldown[cooldownKey(in.Primitive, in.Direction)])
	}
	a.tableOf(in).release(in.Target, in.Claim, in.Identity, until, a.host.Clock.Now())
	a.host.Observer.Acted(Act{Intent: in, Outcome: out, EndedAt: at})
}

// letGo leaves an act, and its claim, to the agent's next start, which settles it. Of an
// agent that was removed there is none.
func (a *agent) letGo(in Intent) {
	if (*a.host.wanted.Load())[a.name] {
		a.tableOf(in).leave(in.Target, in.Claim, in.Identity)
		return
	}
	now := a.host.Clock.Now()
	a.tableOf(in).release(in.Target, in.Claim, in.Identity, now, now)
}

// tableOf is where an act's claim is entered: by the mode that it was begun in, which
// may not be that of now.
func (a *agent) tableOf(in Intent) *claims {
	if in.DryRun {
		return a.dry
	}
	return a.host.claims
}

// cooldownKey is the guard's: the direction for a verb that has one, else the verb.
func cooldownKey(verb string, d Direction) string {
	if d != "" {
		return string(d)
	}
	return verb
}
