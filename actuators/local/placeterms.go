package local

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// termsOf are the terms of one kind in a placement, in order.
func termsOf(p workflow.Placement, anti, required bool) (out []placeTerm) {
	var hard []corev1.PodAffinityTerm
	switch {
	case required && anti:
		hard = antiAffinity(p.Affinity)
	case required:
		hard = requiredNear(p.Affinity)
	}
	for _, term := range hard {
		out = append(out, placeTerm{anti, true, term})
	}
	if required {
		return out
	}
	for _, w := range preferred(p.Affinity, anti) {
		out = append(out, placeTerm{anti, false, w.PodAffinityTerm})
	}
	return out
}

func requiredNear(a *corev1.Affinity) []corev1.PodAffinityTerm {
	if a == nil || a.PodAffinity == nil {
		return nil
	}
	return a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

func preferred(a *corev1.Affinity, anti bool) []corev1.WeightedPodAffinityTerm {
	switch {
	case a == nil:
	case anti && a.PodAntiAffinity != nil:
		return a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	case !anti && a.PodAffinity != nil:
		return a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

// means reports whether a term of pod a is about pod b.
func means(term *corev1.PodAffinityTerm, a, b placement) bool {
	namespaces := term.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{a.workload.namespace}
	}
	if !slices.Contains(namespaces, b.workload.namespace) {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
	return err == nil && selector.Matches(labels.Set(b.labels))
}

// lonely says why a node is not near to the pods that a pod must be near to; "" if it
// is. As in Kubernetes, the first of pods that must be near to their own like may go
// anywhere.
func lonely(node string, want placement, running []placement) string {
	terms := requiredNear(want.spec.Affinity)
	for i := range terms {
		term := &terms[i]
		here, anywhere := false, false
		for _, r := range running {
			if r.node != "" && means(term, want, r) {
				anywhere, here = true, here || r.node == node
			}
		}
		if !here && (anywhere || !means(term, want, want)) {
			return "no pod of those with " + metav1.FormatLabelSelector(term.LabelSelector) + " is there"
		}
	}
	return ""
}

// dislike is how much a pod would rather be elsewhere than on a node: the weights of its
// preferred terms. Below 0 it would rather be there.
func dislike(node string, want placement, running []placement) int {
	sum := 0
	for _, anti := range []bool{true, false} {
		terms := preferred(want.spec.Affinity, anti)
		for i := range terms {
			if slices.ContainsFunc(running, func(r placement) bool { return r.node == node && means(&terms[i].PodAffinityTerm, want, r) }) {
				if weight := int(terms[i].Weight); anti {
					sum += weight
				} else {
					sum -= weight
				}
			}
		}
	}
	return sum
}
