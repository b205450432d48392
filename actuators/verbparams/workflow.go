package verbparams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// WorkflowRun are the parameters of `workflow.run`.
type WorkflowRun struct {
	Template   string            `json:"template" required:"true" doc:"what to run: an object in the target's namespace"`
	Kind       string            `json:"kind" enum:"WorkflowTemplate,CronJob" default:"WorkflowTemplate" doc:"kind of that object: an Argo WorkflowTemplate, or a CronJob, whose Job is run now"`
	Name       string            `json:"name" doc:"what the run is called in its claim, workflow/NAME: one such run at a time for each target; absent: the template's name"`
	Parameters map[string]string `json:"parameters" doc:"the workflow's parameters; a Job has them as variables of each of its containers"`
	Placement
}

// Check returns the mistakes in the values.
func (w WorkflowRun) Check() mistake.Mistakes {
	out := w.check()
	for _, name := range slices.Sorted(maps.Keys(w.Parameters)) {
		if name == "" || strings.ContainsAny(name, "= \n") {
			out.Add("parameters", fmt.Sprintf("%q can't be the name of one", name), "")
		}
	}
	return out
}

// ClaimName returns the name of the run in its claim.
func (w WorkflowRun) ClaimName() string {
	if w.Name != "" {
		return w.Name
	}
	return w.Template
}
