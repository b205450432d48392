package workflowrun

import (
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

const (
	// Verb is the verb's name.
	Verb = "workflow.run"
	// Deadline bounds the act, to the run's end.
	Deadline = 24 * time.Hour

	// mostName is how long the name of an object may be that its controller puts into a
	// label; nameHash is how much of the identity is in it, in hex digits.
	mostName = 63
	nameHash = 10
)

// Claim is the verb's claim: one run of a name at a time, for each target.
func Claim(parameters map[string]any) string {
	w := verbparams.WorkflowRun{}
	w.Name, _ = parameters["name"].(string)
	w.Template, _ = parameters["template"].(string)
	return "workflow/" + w.Called()
}

// Name is what a run is called: the same for every attempt at one change.
func Name(template, identity string) string {
	suffix := "-" + identity[:min(nameHash, len(identity))]
	return strings.TrimRight(template[:min(len(template), mostName-len(suffix))], "-.") + suffix
}
