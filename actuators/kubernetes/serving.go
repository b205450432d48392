package kubernetes

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// servingState returns the state of a SeldonDeployment, as its controller reports it. The bool
// is false for other kinds.
func servingState(o *unstructured.Unstructured) (engine.Outcome, bool) {
	observed, reports := fieldpath.Int(o.Object, "status", "observedGeneration")
	stale := reports && observed < o.GetGeneration()
	switch kindOf(o) {
	case "SeldonDeployment." + seldonGroup:
		switch state := fieldpath.Text(o.Object, "status", "state"); {
		case state == "Failed" && !stale:
			return engine.Outcome{Status: engine.Failed, Detail: "its state is Failed: " + fieldpath.Text(o.Object, "status", "description")}, true
		case state == "Available" && !stale:
			return engine.Outcome{Status: engine.Done, Detail: "its state is Available"}, true
		case state != "":
			return engine.Outcome{Status: engine.Running, Detail: "its state is " + state}, true
		}
	default:
		return engine.Outcome{}, false
	}
	return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("the %s says nothing of itself yet: is its controller running?", o.GetKind())}, true
}

// conditionDetail is the reason and message of a condition. Knative ends a message with what
// the container wrote last, which may hold a secret, and is left out.
func conditionDetail(condition map[string]any) string {
	reason, message := fieldpath.Text(condition, "reason"), fieldpath.Text(condition, "message")
	if before, _, found := strings.Cut(message, "Container failed with"); found {
		message = before + "Container failed"
	}
	switch {
	case reason != "" && message != "":
		return ": " + reason + ": " + message
	case reason+message != "":
		return ": " + reason + message
	}
	return ""
}
