package kubernetes

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// errStarted is the error for pods that exist and that nothing moves.
var errStarted = errors.New("it has started, and its pods stay where they are")

const moveHint = "with move: true those of its steps are moved that may not be where they run"

// checkNotStarted returns an error for a Workflow or a Job that has started.
func checkNotStarted(o *unstructured.Unstructured) error {
	switch kindOf(o) {
	case "Workflow." + argoGroup:
		return checkWorkflowNotStarted(o)
	case "Job.batch":
		suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
		_, started, _ := unstructured.NestedString(o.Object, "status", "startTime")
		if !suspended || started {
			return fmt.Errorf("%w: a Job can be placed while it is suspended (spec.suspend) and has never run", errStarted)
		}
	}
	return nil
}

// checkWorkflowNotStarted goes by what Argo's controller writes. A workflow submitted as
// suspended is Running without nodes. When the controller takes up a workflow, it copies the
// template's specification into the status, and reads no other from then on.
func checkWorkflowNotStarted(o *unstructured.Unstructured) error {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	for _, nodes := range []string{"nodes", "compressedNodes", "offloadNodeStatusVersion"} {
		if v := plain(status[nodes]); v != nil && v != "" {
			return fmt.Errorf("%w (phase %s); %s", errStarted, phase, moveHint)
		}
	}
	switch {
	case status["storedWorkflowTemplateSpec"] != nil:
		return fmt.Errorf("%w: it has taken over its template's specification (phase %s); submit it with the placement, by workflow.run; or %s", errStarted, phase, moveHint)
	case phase == "" || phase == "Pending" || phase == "Running" && suspended:
		return nil
	}
	return fmt.Errorf("%w (phase %s); %s", errStarted, phase, moveHint)
}
