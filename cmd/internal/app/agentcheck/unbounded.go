package agentcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// replicaVerbs are the verbs whose replicas guards.replicas bounds.
var replicaVerbs = []string{"scale", "autoscaler"}

// unboundedReplicas warns of an agent that may ask for any number of replicas: a strategy
// that counts wrong, or a signal that jumps, costs as many as the cluster has room for. What
// a person approves each time is bounded by the person.
func unboundedReplicas(a *manifest.Agent) mistake.Mistakes {
	g := a.Spec.Guards
	if g.Replicas != nil && g.Replicas.Max > 0 {
		return nil
	}
	var verbs []string
	for _, verb := range replicaVerbs {
		if slices.Contains(a.Spec.Primitives, verb) && !slices.Contains(g.Approval, verb) {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) == 0 {
		return nil
	}
	return mistake.Mistakes{a.MistakeAt("spec.guards.replicas.max", fmt.Sprintf("is not set, so that %s may ask for any number of replicas", strings.Join(verbs, " and ")), "set the most that a target may have")}
}
