package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// podOwners are the kinds of the API server's own groups that have pods.
var podOwners = []string{"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}

// podless matches the custom kinds whose pods can't be found, as apiVersion/kind: others make
// their pods, and they have no scale subresource. Of any further kind only a cluster knows.
const podless = `^(argoproj\.io/[^/]+/(CronWorkflow|Workflow|WorkflowTemplate)|keda\.sh/[^/]+/Scaled(Job|Object)|ray\.io/[^/]+/Ray(Cluster|Job|Service)|serving\.kserve\.io/[^/]+/(InferenceGraph|InferenceService|LLMInferenceService))$`

var podlessKinds = regexp.MustCompile(podless)

const (
	podsMessage = "has no effect: objects of this kind have no pods of their own"
	podsFix     = "leave it out, or select the workloads that have the pods"
)

// podsOf rejects pods: true for a kind without pods.
func (v *validator) podsOf(p *fieldPath, t *Targets) {
	none := podlessKinds.MatchString(t.APIVersion + "/" + t.Kind)
	if !strings.Contains(t.APIVersion, ".") {
		none = t.APIVersion != "" && t.Kind != "" && !slices.Contains(podOwners, t.Kind)
	}
	if t.Pods && none {
		v.reject(p.field("pods"), podsMessage, podsFix)
	}
}

// podsSchema has the parts of a document's target that spec.targets.pods adds.
func podsSchema() map[string]any {
	return map[string]any{
		"pods": map[string]any{
			"type":        "array",
			"description": fmt.Sprintf("with spec.targets.pods: its pods, sorted by name, the first %d of them; pods that are being deleted or have ended are left out. Absent where they are not known", engine.MaxTargetPods),
			"items": objectSchema("one pod", map[string]any{
				"name":           stringSchema("name of the pod"),
				"ready":          typeSchema("boolean", "whether it is ready"),
				"restarts":       typeSchema("integer", "how often its containers were started again"),
				"started_ns":     typeSchema("integer", "when it was created, in nanoseconds since the Unix epoch; its age is input.now_ns less this"),
				"ready_since_ns": typeSchema("integer", "when it became ready, in nanoseconds since the Unix epoch; absent where it is not ready"),
			}, "ready_since_ns"),
		},
		"pods_omitted": typeSchema("integer", "how many pods are left out of pods because there are too many; absent where none is"),
	}
}
