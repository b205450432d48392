package orchestrator

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podInfo is a pod, or a step of a workflow, as the scheduler sees it.
type podInfo struct {
	node     string // "" while it has none
	workload types.NamespacedName
	labels   map[string]string
	spec     *corev1.PodSpec
}

// schedule chooses a node for a pod among those that filter accepts: the one with the
// lowest affinity penalty, then with the fewest pods, then with the fewest of the same
// workload, then the first. The error gives the reason that each node was rejected for.
func schedule(nodes []string, p podInfo, running []podInfo) (string, error) {
	best, bestScore := "", [3]int{}
	var rejected []string
	for _, node := range nodes {
		if why := filter(node, p, running); why != "" {
			rejected = append(rejected, node+": "+why)
			continue
		}
		score := [3]int{affinityPenalty(node, p, running)}
		for _, r := range running {
			if r.node == node {
				score[1]++
				if r.workload == p.workload {
					score[2]++
				}
			}
		}
		if best == "" || slices.Compare(score[:], bestScore[:]) < 0 {
			best, bestScore = node, score
		}
	}
	if best == "" {
		return "", fmt.Errorf("no node can take it (%s)", strings.Join(rejected, "; "))
	}
	return best, nil
}

// filter returns the reason that a pod may not run on a node, "" if it may.
func filter(node string, p podInfo, running []podInfo) string {
	if name, set := p.spec.NodeSelector[corev1.LabelHostname]; set && name != node {
		return "nodeSelector wants " + name
	}
	for _, r := range running {
		// As in Kubernetes, the anti-affinity of a running pod keeps new pods away too.
		if r.node == node && (repels(p, r) || repels(r, p)) {
			return "anti-affinity with a pod of " + r.workload.String()
		}
	}
	return missingAffinity(node, p, running)
}

// repels reports whether pod a has a required anti-affinity to pod b.
func repels(a, b podInfo) bool {
	return slices.ContainsFunc(requiredTerms(a.spec.Affinity, true), func(t corev1.PodAffinityTerm) bool { return matches(&t, a, b) })
}
