package local

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// placement is a pod as the choice of nodes sees it.
type placement struct {
	node     string // "" for one that is yet to be placed
	workload key
	labels   map[string]string
	spec     *corev1.PodSpec
}

// place chooses the node of a pod: of those that its nodeSelector and all required
// affinities and anti-affinities allow, the one that its preferred ones like best, then
// the one with the fewest pods, then with the fewest of the same workload, then the
// first. The error says what stood in the way of each node.
func place(nodes []string, want placement, running []placement) (string, error) {
	best, bestScore := "", [3]int{}
	var refusals []string
	for _, node := range nodes {
		if why := refusal(node, want, running); why != "" {
			refusals = append(refusals, node+": "+why)
			continue
		}
		score := [3]int{dislike(node, want, running)}
		for _, r := range running {
			if r.node == node {
				score[1]++
				if r.workload == want.workload {
					score[2]++
				}
			}
		}
		if best == "" || slices.Compare(score[:], bestScore[:]) < 0 {
			best, bestScore = node, score
		}
	}
	if best == "" {
		return "", fmt.Errorf("no node can take it (%s)", strings.Join(refusals, "; "))
	}
	return best, nil
}

func refusal(node string, want placement, running []placement) string {
	if name, set := want.spec.NodeSelector[hostnameKey]; set && name != node {
		return "nodeSelector wants " + name
	}
	for _, r := range running {
		// Anti-affinity binds both ways: a pod may not come near one that it shuns,
		// nor near one that shuns it.
		if r.node == node && (shuns(want, r) || shuns(r, want)) {
			return "anti-affinity with a pod of " + r.workload.String()
		}
	}
	return lonely(node, want, running)
}

func shuns(a, b placement) bool {
	terms := antiAffinity(a.spec.Affinity)
	for i := range terms {
		if means(&terms[i], a, b) {
			return true
		}
	}
	return false
}
