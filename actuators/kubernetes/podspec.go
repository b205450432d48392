package kubernetes

import (
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	argoGroup   = "argoproj.io"
	kserveGroup = "serving.kserve.io"
	seldonGroup = "machinelearning.seldon.io"
)

// kindOf returns an object's kind and group, such as "Job.batch".
func kindOf(o *unstructured.Unstructured) string {
	return o.GetKind() + "." + o.GroupVersionKind().Group
}

// podSpecAt returns the path to the specification of an object's pods. The error says why
// their placement can't be changed.
func podSpecAt(o *unstructured.Unstructured, w verbparams.Placement) ([]string, error) {
	if err := checkNotStarted(o); err != nil {
		return nil, err
	}
	switch kindOf(o) {
	case "Workflow." + argoGroup, "WorkflowTemplate." + argoGroup:
		return []string{"spec"}, nil
	case "CronWorkflow." + argoGroup:
		return []string{"spec", "workflowSpec"}, nil
	case "InferenceService." + kserveGroup:
		return []string{"spec", "predictor"}, nil
	case "CronJob.batch":
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}, nil
	case "Job.batch":
		if w.AntiAffinity != nil || w.Affinity != nil {
			return nil, errors.New("a Job that is there takes a nodeSelector at most: the API server lets nobody change its affinity to other pods, not even while it is suspended; run it by workflow.run with antiAffinity")
		}
	}
	if err := checkPodTemplate(o); err != nil {
		return nil, err
	}
	return []string{"spec", "template", "spec"}, nil
}

// ownAffinity returns the name of a workflow's template that has an affinity of its own, which
// replaces the workflow's; "" if there is none.
func ownAffinity(spec map[string]any) string {
	for _, template := range fieldpath.Maps(spec, "templates") {
		if template["affinity"] != nil {
			name, _ := template["name"].(string)
			return name
		}
	}
	return ""
}
