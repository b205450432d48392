package kubernetes

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// errStarted says that pods may be there already, which nothing moves any more.
var errStarted = errors.New("it has started, and its pods stay where they are")

// byMove says what can be done about it.
const byMove = "with move: true those of its steps are moved that may not be where they run"

// unstarted is an error for a workflow that has started, and for a Job too.
func unstarted(o *unstructured.Unstructured) error {
	switch kindOf(o) {
	case "Workflow." + argoGroup:
		return workflowUnstarted(o)
	case "Job.batch":
		suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
		_, started, _ := unstructured.NestedString(o.Object, "status", "startTime")
		if !suspended || started {
			return fmt.Errorf("%w: a Job can be placed while it is suspended (spec.suspend) and has never run", errStarted)
		}
	}
	return nil
}

// workflowUnstarted goes by what Argo's controller writes: a workflow submitted as
// suspended is Running with no node. It takes its template's specification into the
// status as it takes up the workflow, and reads no other from then on.
func workflowUnstarted(o *unstructured.Unstructured) error {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	for _, nodes := range []string{"nodes", "compressedNodes", "offloadNodeStatusVersion"} {
		if v := plain(status[nodes]); v != nil && v != "" {
			return fmt.Errorf("%w (phase %s); %s", errStarted, phase, byMove)
		}
	}
	switch {
	case status["storedWorkflowTemplateSpec"] != nil:
		return fmt.Errorf("%w: it has taken over its template's specification (phase %s); submit it with the placement, by workflow.run; or %s", errStarted, phase, byMove)
	case phase == "" || phase == "Pending" || phase == "Running" && suspended:
		return nil
	}
	return fmt.Errorf("%w (phase %s); %s", errStarted, phase, byMove)
}
