package local

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// placedRun is a run under way that is placed.
type placedRun struct {
	Name string             `json:"name"`
	Was  workflow.Placement `json:"was"`
	To   workflow.Placement `json:"to"`
}

// planRuns finds the runs to be placed, and what that changes. Nothing is planned where a
// step that has to leave would not be begun again.
func (a placer) planRuns(data *placeData, w verbparams.Place) (diff []string, err error) {
	var stuck []error
	for _, name := range a.runsOf(data, w) {
		run, words, err := a.planRun(data, w, name)
		switch {
		case errors.Is(err, workflow.ErrEnded) && w.Workflow == "", errors.Is(err, workflow.ErrUnknownRun) && w.Workflow == "": // since it was looked for
			continue
		case err != nil:
			stuck = append(stuck, fmt.Errorf("run %s/%s: %w", data.Namespace, name, err))
			continue
		}
		data.Runs = append(data.Runs, *run)
		if len(words) > 0 {
			diff = append(diff, "run "+name+": "+strings.Join(words, ", "))
		}
	}
	return diff, errors.Join(stuck...)
}

// runsOf are the runs that are meant.
func (a placer) runsOf(data *placeData, w verbparams.Place) (names []string) {
	if w.Workflow != "" {
		return []string{w.Workflow}
	}
	if !w.Move {
		return nil
	}
	for _, run := range a.o.workflows.Runs() {
		if run.Namespace == data.Namespace && run.Template == w.Template && run.Kind != kindCronJob && !run.Phase.Ended() {
			names = append(names, run.Name)
		}
	}
	return names
}

func (a placer) planRun(data *placeData, w verbparams.Place, name string) (*placedRun, []string, error) {
	now, own, err := a.o.workflows.PlacementOf(data.Namespace, name)
	if err != nil {
		return nil, nil, err
	}
	if err := hidden(own, w.Placement); err != nil {
		return nil, nil, err
	}
	if !w.Move && a.begun(data.Namespace, name) {
		return nil, nil, errors.New("it has started, and its steps stay where they are; with move: true those are moved that may not be there")
	}
	wish, diff := (*placeWish)(nil).add(now, w.Placement)
	run := &placedRun{Name: name, Was: now, To: wish.placement()}
	leavers, err := a.o.workflows.Evictions(data.Namespace, name, run.To, a.o.mayStay)
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

// begun reports whether any process of a run was begun.
func (a placer) begun(namespace, name string) bool {
	run, _ := a.o.workflows.Run(namespace, name)
	for i := range run.Steps {
		if len(run.Steps[i].Attempts) > 0 {
			return true
		}
	}
	return false
}

// mayStay says why a step may not be on a node, by the pods that are there.
func (o *Orchestrator) mayStay(p workflow.Pod, node string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var others []placement
	for _, r := range o.replicas {
		if r.rec.Node != "" && !r.going {
			others = append(others, r.placement())
		}
	}
	for uid, s := range o.steps {
		if uid != p.UID {
			others = append(others, s)
		}
	}
	return refusal(node, placementOf(p, ""), others)
}

// place has a run placed. One that has ended meanwhile needs no place.
func (a placer) place(namespace string, run *placedRun) error {
	err := a.o.workflows.Place(namespace, run.Name, run.Was, run.To, a.o.mayStay)
	if errors.Is(err, workflow.ErrEnded) || errors.Is(err, workflow.ErrUnknownRun) {
		return nil
	}
	return err
}

func (a placer) unplace(namespace string, run *placedRun) error {
	err := a.o.workflows.Place(namespace, run.Name, run.To, run.Was, nil)
	if errors.Is(err, workflow.ErrEnded) || errors.Is(err, workflow.ErrUnknownRun) {
		return nil
	}
	return err
}

// verifyRuns tells how far the runs are, beside what there is of the object.
func (a placer) verifyRuns(data *placeData, out engine.Outcome) engine.Outcome {
	details := []string{}
	if out.Detail != "" {
		details = append(details, out.Detail)
	}
	for i := range data.Runs {
		status, detail := a.verifyRun(data.Namespace, &data.Runs[i])
		details = append(details, fmt.Sprintf("run %s: %s", data.Runs[i].Name, detail))
		if status == engine.Failed || out.Status == engine.Done {
			out.Status = status
		}
	}
	out.Detail = strings.Join(details, "; ")
	return out
}

func (a placer) verifyRun(namespace string, placed *placedRun) (engine.Status, string) {
	run, known := a.o.workflows.Run(namespace, placed.Name)
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
	if now, _, err := a.o.workflows.PlacementOf(namespace, placed.Name); err == nil && !now.Equal(placed.To) {
		return engine.Failed, errPlacedOtherwise.Error()
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
