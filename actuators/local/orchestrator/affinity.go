package orchestrator

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// Terms returns the terms of one kind in a placement, in order.
func Terms(p workflow.Placement, anti, required bool) (out []PlacementTerm) {
	if required {
		for _, t := range requiredTerms(p.Affinity, anti) {
			out = append(out, PlacementTerm{anti, true, t})
		}
		return out
	}
	for _, t := range preferredTerms(p.Affinity, anti) {
		out = append(out, PlacementTerm{anti, false, t.PodAffinityTerm})
	}
	return out
}

func requiredTerms(a *corev1.Affinity, anti bool) []corev1.PodAffinityTerm {
	switch {
	case a == nil:
	case anti && a.PodAntiAffinity != nil:
		return a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	case !anti && a.PodAffinity != nil:
		return a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

func preferredTerms(a *corev1.Affinity, anti bool) []corev1.WeightedPodAffinityTerm {
	switch {
	case a == nil:
	case anti && a.PodAntiAffinity != nil:
		return a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	case !anti && a.PodAffinity != nil:
		return a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

// matches reports whether a term of pod a selects pod b.
func matches(term *corev1.PodAffinityTerm, a, b podInfo) bool {
	namespaces := term.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{a.workload.Namespace}
	}
	if !slices.Contains(namespaces, b.workload.Namespace) {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
	return err == nil && selector.Matches(labels.Set(b.labels))
}

// missingAffinity returns the required affinity of a pod that a node does not meet, "" if
// it meets all. As in Kubernetes, a term that selects the pod itself does not bind the
// first such pod.
func missingAffinity(node string, p podInfo, running []podInfo) string {
	for _, term := range requiredTerms(p.spec.Affinity, false) {
		here, anywhere := false, false
		for _, r := range running {
			if r.node != "" && matches(&term, p, r) {
				anywhere, here = true, here || r.node == node
			}
		}
		if !here && (anywhere || !matches(&term, p, p)) {
			return "no pod of those with " + metav1.FormatLabelSelector(term.LabelSelector) + " is there"
		}
	}
	return ""
}

// affinityPenalty sums the weights of a pod's preferred terms that select a pod on the
// node: those of anti-affinity count as positive, those of affinity as negative.
func affinityPenalty(node string, p podInfo, running []podInfo) int {
	sum := 0
	for anti, sign := range map[bool]int{true: 1, false: -1} {
		for _, term := range preferredTerms(p.spec.Affinity, anti) {
			if slices.ContainsFunc(running, func(r podInfo) bool { return r.node == node && matches(&term.PodAffinityTerm, p, r) }) {
				sum += sign * int(term.Weight)
			}
		}
	}
	return sum
}
