package kubernetes

const (
	horizontalPodAutoscalers = "horizontalpodautoscalers"
	scaledObjects            = "scaledobjects"
)

var inferenceGroups = map[string]string{
	"deployments": "apps", "httproutes": "gateway.networking.k8s.io", horizontalPodAutoscalers: "autoscaling", scaledObjects: "keda.sh",
}

// inferenceReads are those to read what KServe makes of an InferenceService, which shows
// whether a change is done. Other subjects need none.
func inferenceReads(s Subject, resources ...string) []Need {
	if !isInferenceService(s.APIVersion, s.Kind) {
		return nil
	}
	out := make([]Need, len(resources))
	for i, resource := range resources {
		out[i] = Need{Group: inferenceGroups[resource], Resource: resource, Verbs: []string{"get"}, Namespace: s.Namespace}
	}
	return out
}
