package local

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// placement is a pod as the choice of nodes sees it.
type placement struct {
	node     string // "" for one that is yet to be placed
	workload key
	labels   map[string]string
	spec     *corev1.PodSpec
}

// place chooses the node of a pod: of those that its nodeSelector and all required
// anti-affinities allow, the one with the fewest pods, then with the fewest of the
// same workload, then the first. The error says what stood in the way of each node.
func place(nodes []string, want placement, running []placement) (string, error) {
	best, bestScore := "", [2]int{}
	var refusals []string
	for _, node := range nodes {
		if why := refusal(node, want, running); why != "" {
			refusals = append(refusals, node+": "+why)
			continue
		}
		var score [2]int
		for _, r := range running {
			if r.node == node {
				score[0]++
				if r.workload == want.workload {
					score[1]++
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
	return ""
}

func shuns(a, b placement) bool {
	for _, term := range antiAffinity(a.spec.Affinity) {
		namespaces := term.Namespaces
		if len(namespaces) == 0 {
			namespaces = []string{a.workload.namespace}
		}
		if !slices.Contains(namespaces, b.workload.namespace) {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err == nil && selector.Matches(labels.Set(b.labels)) {
			return true
		}
	}
	return false
}
