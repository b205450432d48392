package workflow

import (
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// advance takes note of what has ended and what is late, and says which steps are to
// begin, and when to look again at the latest (the zero time if only a pod's end can
// change anything). It waits for nothing. mu is held.
func (r *run) advance(now time.Time) (begin []*node, at time.Time) {
	if r.rec.Phase.Ended() {
		return nil, time.Time{}
	}
	if r.rec.notAhead(now) {
		r.dirty = true
	}
	if r.rec.Stop == "" && !now.Before(r.rec.Deadline) {
		r.rec.Stop, r.dirty = fmt.Sprintf("it had not ended within %s", r.rec.Deadline.Sub(r.rec.StartedAt)), true
	}
	a := &advancing{run: r, now: now, at: r.rec.Deadline, room: -1}
	if most := r.rec.Template.Spec.Parallelism; most != nil {
		a.room = max(int(*most)-len(r.pods), 0)
	}
	a.visit(r.root)
	if root := r.step(r.root); root.Phase.Ended() && len(r.pods) == 0 {
		r.rec.Phase, r.rec.Message, r.rec.FinishedAt, r.dirty = root.Phase, root.Message, now, true
		if r.rec.Phase == Omitted {
			r.rec.Phase = Failed
		}
		if r.rec.Stop != "" && r.rec.Phase != Succeeded { // whatever a step had come to before
			r.rec.Phase, r.rec.Message = Failed, r.rec.Stop
		}
		about := []any{"run", key{r.rec.Namespace, r.rec.Name}.String(), "phase", string(r.rec.Phase)}
		if r.rec.Message != "" {
			about = append(about, "message", r.rec.Message)
		}
		r.runner.opts.Log.Info("workflow ended", about...)
	}
	return a.begin, a.at
}

// advancing is one look at all nodes.
type advancing struct {
	*run
	now   time.Time
	at    time.Time
	room  int // for further processes; below 0 without a bound
	begin []*node
}

func (a *advancing) visit(n *node) {
	s := a.step(n)
	switch {
	case s.Phase.Ended():
	case n.template.DAG != nil:
		a.dag(n, s)
	default:
		a.container(n, s)
	}
}

func (a *advancing) end(s *step, p Phase, message string) {
	s.end(p, message, a.now)
	a.dirty = true
}

// dag goes through the tasks in the order written.
func (a *advancing) dag(n *node, s *step) {
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
		if why, omit := a.omitted(n, c); omit && !cs.begun() {
			a.end(cs, Omitted, why)
		}
		if cs.Phase != "" || a.ready(c) {
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

// ready tells whether all that a task waits for has succeeded.
func (a *advancing) ready(c *node) bool {
	for _, need := range c.needs {
		if a.step(need).Phase != Succeeded {
			return false
		}
	}
	return true
}

// omitted tells whether a task that has not begun never will, and why.
func (a *advancing) omitted(n, c *node) (why string, omit bool) {
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

// container settles the last attempt, and asks for another where there is to be one.
func (a *advancing) container(n *node, s *step) {
	last := s.last()
	switch {
	case last == nil && a.rec.Stop != "":
		a.end(s, Omitted, a.rec.Stop)
	case last == nil:
		a.want(n, s)
	case !last.Phase.Ended():
		a.watch(n, s, last)
	case last.Phase == Succeeded:
		if err := a.collect(n, s); err != nil {
			last.Phase, last.Message, a.dirty = Error, err.Error(), true
			a.again(n, s)
			return
		}
		a.end(s, Succeeded, "")
	default:
		a.again(n, s)
	}
}

// again settles an attempt that did not succeed.
func (a *advancing) again(n *node, s *step) {
	last := s.last()
	again, at, why := n.template.RetryStrategy.next(s.Attempts)
	switch {
	case a.rec.Stop != "" || !again:
		message := fmt.Sprintf("%s; its log is %s", last.Message, a.logWords(n, len(s.Attempts)-1, last))
		if len(s.Attempts) > 1 {
			message = fmt.Sprintf("attempt %d: %s", len(s.Attempts), message)
		}
		if why != "" {
			message += "; " + why
		}
		a.end(s, last.Phase, message)
	case a.now.Before(at):
		a.pending(s, fmt.Sprintf("%s; attempt %d begins at %s", last.Message, len(s.Attempts)+1, at.UTC().Format(time.RFC3339)))
		a.at = soonest(a.at, at)
	default:
		a.want(n, s)
	}
}

// want asks for a process, if there is room for one more.
func (a *advancing) want(n *node, s *step) {
	if a.room == 0 {
		a.pending(s, "waits for other steps to end, as parallelism says")
		return
	}
	a.room--
	a.begin = append(a.begin, n)
}

func (r *run) pending(s *step, message string) {
	if s.Phase != Pending || s.Message != message {
		s.Phase, s.Message, r.dirty = Pending, message, true
	}
}

// watch ends a process that is late, or whose run is being ended.
func (a *advancing) watch(n *node, s *step, last *attempt) {
	if last.Ending == "" && a.rec.Stop != "" {
		last.Ending, a.dirty = a.rec.Stop, true
	}
	for _, bound := range []struct {
		at  time.Time
		why string
	}{{n.template.deadline(last), "activeDeadlineSeconds"}, {n.template.RetryStrategy.until(s.Attempts), "maxDuration"}} {
		switch {
		case bound.at.IsZero() || last.Ending != "":
		case a.now.Before(bound.at):
			a.at = soonest(a.at, bound.at)
		default:
			last.Ending, a.dirty = "it had not ended within its "+bound.why, true
		}
	}
	if p := a.pods[last.UID]; p != nil && last.Ending != "" && !a.going[last.UID] {
		a.going[last.UID] = true
		a.ends.Go(func() { _ = p.Stop(a.runner.kill) }) // it may be let go instead, by leave
	}
}

// deadline is when an attempt must have ended; the zero time if it has no such bound.
func (t *StepTemplate) deadline(of *attempt) time.Time {
	if t.ActiveDeadlineSeconds == nil {
		return time.Time{}
	}
	return of.StartedAt.Add(time.Duration(t.ActiveDeadlineSeconds.IntVal) * time.Second)
}

// settle notes how an attempt's process ended. mu is held.
func (r *run) settle(a *attempt, s pod.Status) {
	a.FinishedAt = r.runner.opts.Clock.Now()
	if s.LastExit != nil {
		a.FinishedAt = s.LastExit.At
		if code := s.LastExit.Code; code >= 0 {
			a.ExitCode = &code
		}
	}
	finished := a.Moved && a.ExitCode != nil && *a.ExitCode == 0 // before it could be moved
	switch {
	case a.Ending != "" && !finished:
		a.Phase, a.Message = Failed, a.Ending
	case s.LastExit == nil:
		a.Phase, a.Message = Error, s.Message
	case a.ExitCode == nil:
		a.Phase, a.Message, a.Lost = Error, "how it ended can't be learnt: neither this process nor its own record saw it", true
	case *a.ExitCode == 0:
		a.Phase, a.Message = Succeeded, ""
	default:
		a.Phase, a.Message = Failed, s.LastExit.String()
	}
}
