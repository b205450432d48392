package kubernetes

import (
	"slices"
	"strings"
)

// scalableBuiltIns are the kinds of the API server that have a scale subresource.
var scalableBuiltIns = map[string][]string{
	"":     {"ReplicationController"},
	"apps": {"Deployment", "ReplicaSet", "StatefulSet"},
}

// unscalable are kinds of others whose definition has no scale subresource. Needs are computed
// without a cluster, so any other custom kind is assumed to have one.
var unscalable = map[string][]string{
	"argoproj.io":          {"CronWorkflow", "Workflow", "WorkflowTemplate"},
	"batch.volcano.sh":     {"Job"},
	"jobset.x-k8s.io":      {"JobSet"},
	"keda.sh":              {"ScaledJob", "ScaledObject"},
	"networking.istio.io":  {"DestinationRule", "Gateway", "ServiceEntry", "VirtualService"},
	"ray.io":               {"RayCluster", "RayJob", "RayService"},
	"serving.knative.dev":  {"Service"},
	"serving.kserve.io":    {"InferenceGraph", "InferenceService", "LLMInferenceService"},
	"trainer.kubeflow.org": {"TrainJob"},
}

// hasScale reports whether the subject's kind has a scale subresource, as far as is known.
func (s Subject) hasScale() bool {
	group := s.Group()
	if !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") && !strings.HasSuffix(group, ".x-k8s.io") {
		return slices.Contains(scalableBuiltIns[group], s.Kind)
	}
	return !slices.Contains(unscalable[group], s.Kind)
}
