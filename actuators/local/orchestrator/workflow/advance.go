package workflow

import (
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// advance updates the record for what has ended or missed its deadline. It returns the
// steps to start, and the time of the next call at the latest (zero if only the end of a
// pod can change anything). It never blocks. mu is held.
func (r *run) advance(now time.Time) (start []*node, wakeAt time.Time) {
	if r.rec.Phase.Ended() {
		return nil, time.Time{}
	}
	if r.rec.clampFuture(now) {
		r.dirty = true
	}
	if r.rec.Stop == "" && !now.Before(r.rec.Deadline) {
		r.rec.Stop, r.dirty = fmt.Sprintf("it had not ended within %s", r.rec.Deadline.Sub(r.rec.StartedAt)), true
	}
	a := &advancer{run: r, now: now, wakeAt: r.rec.Deadline, slots: -1}
	if parallelism := r.rec.Template.Spec.Parallelism; parallelism != nil {
		a.slots = max(int(*parallelism)-len(r.pods), 0)
	}
	a.visit(r.root)
	if root := r.step(r.root); root.Phase.Ended() && len(r.pods) == 0 {
		r.rec.Phase, r.rec.Message, r.rec.FinishedAt, r.dirty = root.Phase, root.Message, now, true
		if r.rec.Phase == Omitted {
			r.rec.Phase = Failed
		}
		if r.rec.Stop != "" && r.rec.Phase != Succeeded { // the reason of the stop outranks the step's phase and message
			r.rec.Phase, r.rec.Message = Failed, r.rec.Stop
		}
		fields := []any{"run", key{r.rec.Namespace, r.rec.Name}.String(), "phase", string(r.rec.Phase)}
		if r.rec.Message != "" {
			fields = append(fields, "message", r.rec.Message)
		}
		r.runner.opts.Log.Info("workflow ended", fields...)
	}
	return a.toStart, a.wakeAt
}

// advancer is one pass over all nodes.
type advancer struct {
	*run
	now     time.Time
	wakeAt  time.Time
	slots   int // for further processes; negative without a limit
	toStart []*node
}

func (a *advancer) visit(n *node) {
	s := a.step(n)
	switch {
	case s.Phase.Ended():
	case n.template.DAG != nil:
		a.dag(n, s)
	default:
		a.container(n, s)
	}
}

func (a *advancer) end(s *step, p Phase, message string) {
	s.end(p, message, a.now)
	a.dirty = true
}

// dag visits the tasks in the order of the template.
func (a *advancer) dag(n *node, s *step) {
	if s.Phase == "" {
		inputs, err := a.inputs(n)
		if err != nil {
			a.end(s, Error, err.Error())
			return
		}
		s.Phase, s.StartedAt, s.Inputs, a.dirty = Running, a.now, inputs, true
	}
	for _, c := range n.children {
		cs := a.step(c)
		if why, omit := a.shouldOmit(n, c); omit && !cs.started() {
			a.end(cs, Omitted, why)
		}
		if cs.Phase != "" || a.dependenciesSucceeded(c) {
			a.visit(c)
		}
	}
	worst, message := Succeeded, ""
	for _, c := range n.children {
		switch cs := a.step(c); {
		case !cs.Phase.Ended():
			return
		case cs.Phase != Succeeded && (worst == Succeeded || worst == Omitted && cs.Phase != Omitted):
			worst, message = cs.Phase, fmt.Sprintf("%s: %s", c, cs.Message)
		}
	}
	if worst == Succeeded {
		if err := a.dagOutputs(n, s); err != nil {
			worst, message = Error, err.Error()
		}
	}
	a.end(s, worst, message)
}

// dependenciesSucceeded reports whether all dependencies of a task have succeeded.
func (a *advancer) dependenciesSucceeded(c *node) bool {
	for _, need := range c.needs {
		if a.step(need).Phase != Succeeded {
			return false
		}
	}
	return true
}

// shouldOmit reports whether a task that has not started will never start, and why.
func (a *advancer) shouldOmit(n, c *node) (why string, omit bool) {
	if a.rec.Stop != "" {
		return a.rec.Stop, true
	}
	for _, need := range c.needs {
		if p := a.step(need).Phase; p.Ended() && p != Succeeded {
			return fmt.Sprintf("%s, which it waits for, did not succeed", need), true
		}
	}
	if fast := n.template.DAG.FailFast; fast != nil && !*fast {
		return "", false
	}
	for _, other := range n.children {
		if p := a.step(other).Phase; p == Failed || p == Error {
			return fmt.Sprintf("not begun, as %s did not succeed", other), true
		}
	}
	return "", false
}

// container handles the end of the last attempt, and schedules the next one if necessary.
func (a *advancer) container(n *node, s *step) {
	last := s.last()
	switch {
	case last == nil && a.rec.Stop != "":
		a.end(s, Omitted, a.rec.Stop)
	case last == nil:
		a.schedule(n, s)
	case !last.Phase.Ended():
		a.enforceDeadlines(n, s, last)
	case last.Phase == Succeeded:
		if err := a.collect(n, s); err != nil {
			last.Phase, last.Message, a.dirty = Error, err.Error(), true
			a.retryOrFail(n, s)
			return
		}
		a.end(s, Succeeded, "")
	default:
		a.retryOrFail(n, s)
	}
}

// retryOrFail schedules a retry of an attempt that did not succeed, or fails the step.
func (a *advancer) retryOrFail(n *node, s *step) {
	last := s.last()
	retry, at, why := n.template.RetryStrategy.next(s.Attempts)
	switch {
	case a.rec.Stop != "" || !retry:
		message := fmt.Sprintf("%s; its log is %s", last.Message, a.logLocation(n, len(s.Attempts)-1, last))
		if len(s.Attempts) > 1 {
			message = fmt.Sprintf("attempt %d: %s", len(s.Attempts), message)
		}
		if why != "" {
			message += "; " + why
		}
		a.end(s, last.Phase, message)
	case a.now.Before(at):
		a.setPending(s, fmt.Sprintf("%s; attempt %d begins at %s", last.Message, len(s.Attempts)+1, at.UTC().Format(time.RFC3339)))
		a.wakeAt = earliest(a.wakeAt, at)
	default:
		a.schedule(n, s)
	}
}

// schedule starts a process within the limit of parallelism.
func (a *advancer) schedule(n *node, s *step) {
	if a.slots == 0 {
		a.setPending(s, "waits for other steps to end, as parallelism says")
		return
	}
	a.slots--
	a.toStart = append(a.toStart, n)
}

func (r *run) setPending(s *step, message string) {
	if s.Phase != Pending || s.Message != message {
		s.Phase, s.Message, r.dirty = Pending, message, true
	}
}

// enforceDeadlines stops a process that missed a deadline, or whose run is being stopped.
func (a *advancer) enforceDeadlines(n *node, s *step, last *attempt) {
	if last.Stopping == "" && a.rec.Stop != "" {
		last.Stopping, a.dirty = a.rec.Stop, true
	}
	for _, bound := range []struct {
		at  time.Time
		why string
	}{{n.template.deadline(last), "activeDeadlineSeconds"}, {n.template.RetryStrategy.deadline(s.Attempts), "maxDuration"}} {
		switch {
		case bound.at.IsZero() || last.Stopping != "":
		case a.now.Before(bound.at):
			a.wakeAt = earliest(a.wakeAt, bound.at)
		default:
			last.Stopping, a.dirty = "it had not ended within its "+bound.why, true
		}
	}
	if p := a.pods[last.UID]; p != nil && last.Stopping != "" && !a.terminating[last.UID] {
		a.terminating[last.UID] = true
		a.terminations.Go(func() { _ = p.Stop(a.runner.killCtx) }) // the error is that shutdown has detached it
	}
}

// deadline returns the time by which an attempt must have ended; zero if there is none.
func (t *StepTemplate) deadline(a *attempt) time.Time {
	if t.ActiveDeadlineSeconds == nil {
		return time.Time{}
	}
	return a.StartedAt.Add(time.Duration(t.ActiveDeadlineSeconds.IntVal) * time.Second)
}

// recordExit records the end of an attempt's process. mu is held.
func (r *run) recordExit(a *attempt, s pod.Status) {
	a.FinishedAt = r.runner.opts.Clock.Now()
	if s.LastExit != nil {
		a.FinishedAt = s.LastExit.At
		if code := s.LastExit.Code; code >= 0 {
			a.ExitCode = &code
		}
	}
	finished := a.Moved && a.ExitCode != nil && *a.ExitCode == 0 // it succeeded before it was evicted
	switch {
	case a.Stopping != "" && !finished:
		a.Phase, a.Message = Failed, a.Stopping
	case s.LastExit == nil:
		a.Phase, a.Message = Error, s.Message
	case a.ExitCode == nil:
		a.Phase, a.Message, a.Lost = Error, "its exit status is unknown: it was neither collected nor recorded", true
	case *a.ExitCode == 0:
		a.Phase, a.Message = Succeeded, ""
	default:
		a.Phase, a.Message = Failed, s.LastExit.String()
	}
}
