package local

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// placedRun is a run that has begun, with its placement before and after.
type placedRun struct {
	Name   string             `json:"name"`
	Before workflow.Placement `json:"was"`
	Next   workflow.Placement `json:"to"`
}

// planRuns adds the runs that are placed to the plan, and returns what that changes. It
// fails if a step that has to leave its node would not be begun again.
func (a placer) planRuns(plan *placePlan, with verbparams.Place) (diff []string, err error) {
	var stuck []error
	for _, name := range a.runsOf(plan, with) {
		run, words, err := a.planRun(plan, with, name)
		switch {
		case err != nil && ifActive(err) == nil && with.Workflow == "": // it ended since it was listed
			continue
		case err != nil:
			stuck = append(stuck, fmt.Errorf("run %s/%s: %w", plan.Namespace, name, err))
			continue
		}
		plan.Runs = append(plan.Runs, *run)
		if len(words) > 0 {
			diff = append(diff, "run "+name+": "+strings.Join(words, ", "))
		}
	}
	return diff, errors.Join(stuck...)
}

// runsOf returns the run that is named, or with move the template's runs that have not
// ended.
func (a placer) runsOf(plan *placePlan, with verbparams.Place) (names []string) {
	if with.Workflow != "" {
		return []string{with.Workflow}
	}
	if !with.Move {
		return nil
	}
	for _, run := range a.o.Runs() {
		if run.Namespace == plan.Namespace && run.Template == with.Template && run.Kind != orchestrator.KindCronJob && !run.Phase.Ended() {
			names = append(names, run.Name)
		}
	}
	return names
}

func (a placer) planRun(plan *placePlan, with verbparams.Place, name string) (*placedRun, []string, error) {
	now, own, err := a.o.RunPlacement(plan.Namespace, name)
	if err != nil {
		return nil, nil, err
	}
	if err := checkOwnAffinity(own, with.Placement); err != nil {
		return nil, nil, err
	}
	if !with.Move && a.begun(plan.Namespace, name) {
		return nil, nil, errors.New("it has started, and its steps stay where they are; with move: true those are moved that may not be there")
	}
	next, diff := addPlacement(nil, now, with.Placement)
	run := &placedRun{Name: name, Before: now, Next: next.Placement()}
	leavers, err := a.o.Evictions(plan.Namespace, name, run.Next)
	if err != nil {
		return nil, nil, err
	}
	var stuck []error
	for _, l := range leavers {
		if l.Blocked != "" {
			stuck = append(stuck, fmt.Errorf("its step %s can't leave node %s: %s", l.Step, l.Node, l.Blocked))
		}
		diff = append(diff, fmt.Sprintf("step %s leaves node %s (%s)", l.Step, l.Node, l.Reason))
	}
	return run, diff, errors.Join(stuck...)
}

// begun reports whether a step of a run has started.
func (a placer) begun(namespace, name string) bool {
	run, _ := a.o.Run(namespace, name)
	for i := range run.Steps {
		if len(run.Steps[i].Attempts) > 0 {
			return true
		}
	}
	return false
}

// ifActive drops the error for a run that has ended: it has nothing left to place.
func ifActive(err error) error {
	if errors.Is(err, workflow.ErrEnded) || errors.Is(err, workflow.ErrUnknownRun) {
		return nil
	}
	return err
}

// verifyRuns adds the state of the runs to the outcome of the object.
func (a placer) verifyRuns(plan *placePlan, out engine.Outcome) engine.Outcome {
	details := []string{}
	if out.Detail != "" {
		details = append(details, out.Detail)
	}
	for i := range plan.Runs {
		status, detail := a.verifyRun(plan.Namespace, &plan.Runs[i])
		details = append(details, fmt.Sprintf("run %s: %s", plan.Runs[i].Name, detail))
		if status == engine.Failed || out.Status == engine.Done {
			out.Status = status
		}
	}
	out.Detail = strings.Join(details, "; ")
	return out
}

func (a placer) verifyRun(namespace string, placed *placedRun) (engine.Status, string) {
	run, known := a.o.Run(namespace, placed.Name)
	if !known {
		return engine.Done, "it is no more"
	}
	for i := range run.Steps {
		s := &run.Steps[i]
		n := len(s.Attempts)
		switch {
		case n == 0 || !s.Attempts[n-1].Moved:
		case !s.Phase.Ended() && s.Attempts[n-1].Phase.Ended():
			return engine.Running, fmt.Sprintf("step %s has left node %s, and waits: %s", s.DisplayName(), s.Attempts[n-1].Node, s.Message)
		case !s.Phase.Ended():
			return engine.Running, fmt.Sprintf("step %s is being ended on node %s", s.DisplayName(), s.Attempts[n-1].Node)
		case s.Phase != workflow.Succeeded && run.Stop == "":
			return engine.Failed, fmt.Sprintf("step %s was ended and not begun again: %s", s.DisplayName(), s.Message)
		}
	}
	if run.Phase.Ended() {
		return engine.Done, "it has ended, " + string(run.Phase)
	}
	if now, _, err := a.o.RunPlacement(namespace, placed.Name); err == nil && !now.Equal(placed.Next) {
		return engine.Failed, orchestrator.ErrPlacementChanged.Error()
	}
	var at []string
	for i := range run.Steps {
		s := &run.Steps[i]
		if n := len(s.Attempts); n > 0 && !s.Attempts[n-1].Phase.Ended() {
			at = append(at, fmt.Sprintf("step %s on node %s", s.DisplayName(), s.Attempts[n-1].Node))
		}
	}
	if len(at) == 0 {
		return engine.Done, "no step runs now"
	}
	return engine.Done, strings.Join(at, ", ")
}
