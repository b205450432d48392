package workflowrun

import (
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

const (
	// Verb is the verb's name.
	Verb = "workflow.run"
	// Deadline bounds the act, which lasts until the run has ended.
	Deadline = 24 * time.Hour

	// maxName is the longest name of an object whose controller writes the name into a label.
	// nameHash is the number of hex digits of the identity in a name.
	maxName  = 63
	nameHash = 10
)

// Claim returns the verb's claim: each target has one run of a name at a time.
func Claim(parameters map[string]any) string {
	w := verbparams.WorkflowRun{}
	w.Name, _ = parameters["name"].(string)
	w.Template, _ = parameters["template"].(string)
	return "workflow/" + w.ClaimName()
}

// Name returns the name of a run, which is the same for every attempt at one change.
func Name(template, identity string) string {
	suffix := "-" + identity[:min(nameHash, len(identity))]
	return strings.TrimRight(template[:min(len(template), maxName-len(suffix))], "-.") + suffix
}
