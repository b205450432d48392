package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

// checkPlacement returns the parts of a placement that local nodes do not support.
func checkPlacement(p verbparams.Placement) (mistakes []string) {
	for _, label := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		if label != corev1.LabelHostname {
			mistakes = append(mistakes, fmt.Sprintf("with.nodeSelector.%s: local nodes have no such label; only %s can be selected", label, corev1.LabelHostname))
		}
	}
	for _, near := range []struct {
		field string
		*verbparams.Near
	}{{"antiAffinity", p.AntiAffinity}, {"affinity", p.Affinity}} {
		if near.Near != nil && near.TopologyKey != corev1.LabelHostname {
			mistakes = append(mistakes, fmt.Sprintf("with.%s.topologyKey: %q can't be honoured; only %s can: each local node is a host", near.field, near.TopologyKey, corev1.LabelHostname))
		}
	}
	return mistakes
}

// checkOwnAffinity returns an error if the affinity of a workflow's template replaces the
// one that a placement adds to the workflow.
func checkOwnAffinity(template string, p verbparams.Placement) error {
	if template == "" || p.AntiAffinity == nil && p.Affinity == nil {
		return nil
	}
	return fmt.Errorf("its template %s has an affinity of its own, which counts instead of the workflow's: write the term there", template)
}

// requestedTerm is a term of affinity that a proposal asks for.
type requestedTerm struct {
	near  *verbparams.Near
	words string
	orchestrator.PlacementTerm
}

func requestedTerms(p verbparams.Placement) (out []requestedTerm) {
	for _, t := range []requestedTerm{
		{near: p.AntiAffinity, words: "away from", PlacementTerm: orchestrator.PlacementTerm{Anti: true}}, {near: p.Affinity, words: "near to"},
	} {
		if t.near == nil {
			continue
		}
		t.Required = t.near.Required
		t.Term = corev1.PodAffinityTerm{
			TopologyKey: t.near.TopologyKey, Namespaces: slices.Clone(t.near.Namespaces), LabelSelector: &metav1.LabelSelector{MatchLabels: maps.Clone(t.near.MatchLabels)},
		}
		out = append(out, t)
	}
	return out
}

// addPlacement returns the override with a placement added, and what that changes. A
// preferred term replaces the same required term, and the other way round.
func addPlacement(now *orchestrator.PlacementOverride, declared workflow.Placement, p verbparams.Placement) (next *orchestrator.PlacementOverride, diff []string) {
	next = now.Clone(declared)
	for _, t := range requestedTerms(p) {
		terms := orchestrator.Terms(next.Placement(), t.Anti, t.Required)
		if !slices.ContainsFunc(terms, t.Equal) {
			words := "pods " + t.words + " " + t.near.Words(t.Required)
			if len(terms) > 0 {
				words += fmt.Sprintf(" (beside %d terms that are there)", len(terms))
			}
			diff = append(diff, words)
			next.Terms = append(next.Terms, t.PlacementTerm)
		}
		diff = append(diff, removeTerm(next, t, !t.Required)...)
	}
	var words []string
	for _, label := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		was, is := next.Placement().NodeSelector[label], p.NodeSelector[label]
		if was == is {
			continue
		}
		text := label + "=" + is
		if was != "" {
			text += " (was " + was + ")"
		}
		words = append(words, text)
		next.NodeSelector[label] = is
	}
	if len(words) > 0 {
		diff = append(diff, "nodes with "+strings.Join(words, ", "))
	}
	return next, diff
}

// removePlacement returns the override with a placement removed, and what that changes. It
// fails for a part of the placement that is in the YAML.
func removePlacement(now *orchestrator.PlacementOverride, declared workflow.Placement, p verbparams.Placement) (next *orchestrator.PlacementOverride, diff []string, err error) {
	next = now.Clone(declared)
	for _, t := range requestedTerms(p) {
		for _, required := range []bool{true, false} {
			removed := removeTerm(next, t, required)
			diff = append(diff, removed...)
			t.Required = required
			if len(removed) == 0 && slices.ContainsFunc(orchestrator.Terms(declared, t.Anti, required), t.Equal) {
				return nil, nil, fmt.Errorf("the term about pods %s %s is the YAML's: take it away where it is written", t.words, t.near.Words(required))
			}
		}
	}
	var words []string
	for _, label := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		switch value := p.NodeSelector[label]; value {
		case next.NodeSelector[label]:
			delete(next.NodeSelector, label)
			words = append(words, label+"="+value)
		case declared.NodeSelector[label]:
			return nil, nil, fmt.Errorf("nodeSelector %s=%s is the YAML's: take it away where it is written", label, value)
		}
	}
	if len(words) > 0 {
		diff = append(diff, "nodes no longer with "+strings.Join(words, ", "))
	}
	return next, diff, nil
}

// removeTerm removes a term from an override, if it is there.
func removeTerm(from *orchestrator.PlacementOverride, t requestedTerm, required bool) (diff []string) {
	t.Required = required
	at := slices.IndexFunc(from.Terms, t.Equal)
	if at < 0 {
		return nil
	}
	from.Terms = slices.Delete(from.Terms, at, at+1)
	return []string{"pods no longer " + t.words + " " + t.near.Words(required)}
}
