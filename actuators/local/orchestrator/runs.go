package orchestrator

import (
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// WorkflowsDir returns the folder of a state folder that holds the runs of workflows.
func WorkflowsDir(state string) string { return filepath.Join(state, "workflows") }

// Template returns the WorkflowTemplate of that name, or a CronJob's Job as one, with the
// placement that was set. parameters are variables of the Job's container.
func (o *Orchestrator) Template(id ObjectID, parameters map[string]string) (*workflow.Template, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id.Kind == KindCronJob {
		j, err := find(o.cronJobs, id)
		if err != nil {
			return nil, err
		}
		t := cronTemplate(j, parameters)
		return o.placements[id].Template(&t), nil
	}
	t, err := find(o.templates, id)
	if err != nil {
		return nil, err
	}
	return o.placements[id].Template(t), nil
}

// Submit begins a run. It goes on after this process has ended.
func (o *Orchestrator) Submit(r workflow.Request) error {
	_, err := o.workflows.Submit(r)
	return err
}

// Runs returns the runs of workflows that have not ended, or ended not long ago, the
// newest first.
func (o *Orchestrator) Runs() []workflow.Run { return o.workflows.Runs() }

// Run returns one of Runs; false if there is none of that name.
func (o *Orchestrator) Run(namespace, name string) (workflow.Run, bool) {
	return o.workflows.Run(namespace, name)
}

// CancelRun ends a run. The error is workflow.ErrUnknownRun if there is none of that name.
func (o *Orchestrator) CancelRun(namespace, name, why string) error {
	return o.workflows.Cancel(namespace, name, why)
}

// RunPlacement returns where the pods of a run may be now, and the template whose own
// affinity replaces it. The error is workflow.ErrUnknownRun or workflow.ErrEnded.
func (o *Orchestrator) RunPlacement(namespace, name string) (now workflow.Placement, ownAffinity string, err error) {
	return o.workflows.PlacementOf(namespace, name)
}

// Evictions returns the steps of a run that would have to leave their node under another
// placement.
func (o *Orchestrator) Evictions(namespace, name string, to workflow.Placement) ([]workflow.Eviction, error) {
	return o.workflows.Evictions(namespace, name, to, o.mayStay)
}

// PlaceRun replaces the placement of a run. With move, the steps that have to leave their
// node are ended and begun again elsewhere.
func (o *Orchestrator) PlaceRun(namespace, name string, from, to workflow.Placement, move bool) error {
	if !move {
		return o.workflows.Place(namespace, name, from, to, nil)
	}
	return o.workflows.Place(namespace, name, from, to, o.mayStay)
}
