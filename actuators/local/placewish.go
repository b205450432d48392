package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

// placeWish holds the terms that `place` added for the pods of an object. It holds until
// the YAML says something new about that.
type placeWish struct {
	Terms        []placeTerm       `json:"terms,omitempty"`
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Declared comes from the YAML.
	Declared workflow.Placement `json:"declared"`
}

// placeTerm is one term of affinity to other pods.
type placeTerm struct {
	Anti     bool                   `json:"anti,omitempty"` // away from those pods, not near to them
	Required bool                   `json:"required,omitempty"`
	Term     corev1.PodAffinityTerm `json:"term"`
}

// preferredWeight is that of a term that is only preferred: the highest there is.
const preferredWeight = 100

func (t *placeTerm) same(o placeTerm) bool { return equality.Semantic.DeepEqual(*t, o) }

// wishedTerm is a term that an actuator was asked for.
type wishedTerm struct {
	near  *verbparams.Near
	words string
	placeTerm
}

// wishedTerms are those of a placement.
func wishedTerms(p verbparams.Placement) (out []wishedTerm) {
	for _, w := range []wishedTerm{
		{near: p.AntiAffinity, words: "away from", placeTerm: placeTerm{Anti: true}}, {near: p.Affinity, words: "near to"},
	} {
		if w.near == nil {
			continue
		}
		w.Required = w.near.Required
		w.Term = corev1.PodAffinityTerm{
			TopologyKey: w.near.TopologyKey, Namespaces: slices.Clone(w.near.Namespaces), LabelSelector: &metav1.LabelSelector{MatchLabels: maps.Clone(w.near.MatchLabels)},
		}
		out = append(out, w)
	}
	return out
}

// clone is the wish, or an empty one of what is declared.
func (w *placeWish) clone(declared workflow.Placement) *placeWish {
	next := &placeWish{Declared: declared, NodeSelector: map[string]string{}}
	if w != nil {
		next.Terms = slices.Clone(w.Terms)
		maps.Copy(next.NodeSelector, w.NodeSelector)
	}
	return next
}

// add is the wish with a placement, and what is new in it. A term that was required and
// is to be preferred, or the other way round, is moved.
func (w *placeWish) add(declared workflow.Placement, p verbparams.Placement) (next *placeWish, diff []string) {
	next = w.clone(declared)
	for _, t := range wishedTerms(p) {
		now := termsOf(next.placement(), t.Anti, t.Required)
		if !slices.ContainsFunc(now, t.same) {
			words := "pods " + t.words + " " + t.near.Words(t.Required)
			if len(now) > 0 {
				words += fmt.Sprintf(" (beside %d terms that are there)", len(now))
			}
			diff = append(diff, words)
			next.Terms = append(next.Terms, t.placeTerm)
		}
		diff = append(diff, next.withdraw(t, !t.Required)...)
	}
	var words []string
	for _, label := range sortedKeys(p.NodeSelector) {
		was, is := next.placement().NodeSelector[label], p.NodeSelector[label]
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

// withdraw takes a term of ours out.
func (w *placeWish) withdraw(t wishedTerm, required bool) (diff []string) {
	t.Required = required
	at := slices.IndexFunc(w.Terms, t.same)
	if at < 0 {
		return nil
	}
	w.Terms = slices.Delete(w.Terms, at, at+1)
	return []string{"pods no longer " + t.words + " " + t.near.Words(required)}
}

// remove is the wish without a placement. What the YAML says is its author's to take away.
func (w *placeWish) remove(declared workflow.Placement, p verbparams.Placement) (next *placeWish, diff []string, err error) {
	next = w.clone(declared)
	for _, t := range wishedTerms(p) {
		for _, required := range []bool{true, false} {
			gone := next.withdraw(t, required)
			diff = append(diff, gone...)
			t.Required = required
			if len(gone) == 0 && slices.ContainsFunc(termsOf(declared, t.Anti, required), t.same) {
				return nil, nil, fmt.Errorf("the term about pods %s %s is the YAML's: take it away where it is written", t.words, t.near.Words(required))
			}
		}
	}
	var words []string
	for _, label := range sortedKeys(p.NodeSelector) {
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

// orNone is nil for a wish that asks for nothing.
func (w *placeWish) orNone() *placeWish {
	if w == nil || len(w.Terms) == 0 && len(w.NodeSelector) == 0 {
		return nil
	}
	return w
}

// outdated reports whether the YAML says something else than when the wish was made.
func (w *placeWish) outdated(declared workflow.Placement) bool { return !w.Declared.Equal(declared) }

// same reports whether two wishes ask for the same, whatever the YAML says.
func (w *placeWish) same(o *placeWish) bool {
	w, o = w.orNone(), o.orNone()
	if w == nil || o == nil {
		return w == o
	}
	return slices.EqualFunc(w.Terms, o.Terms, func(a, b placeTerm) bool { return a.same(b) }) && maps.Equal(w.NodeSelector, o.NodeSelector)
}

// placement joins the YAML's terms and the wish.
func (w *placeWish) placement() workflow.Placement {
	return workflow.Placement{NodeSelector: w.nodes(w.Declared.NodeSelector), Affinity: w.near(w.Declared.Affinity)}
}

func (w *placeWish) nodes(declared map[string]string) map[string]string {
	if len(w.NodeSelector) == 0 {
		return declared
	}
	out := maps.Clone(declared)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, w.NodeSelector)
	return out
}

func (w *placeWish) near(declared *corev1.Affinity) *corev1.Affinity {
	if len(w.Terms) == 0 {
		return declared
	}
	out := declared.DeepCopy()
	if out == nil {
		out = &corev1.Affinity{}
	}
	for _, t := range w.Terms {
		t.addTo(out)
	}
	return out
}

func (t *placeTerm) addTo(a *corev1.Affinity) {
	if t.Anti && a.PodAntiAffinity == nil {
		a.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	if !t.Anti && a.PodAffinity == nil {
		a.PodAffinity = &corev1.PodAffinity{}
	}
	weighted := corev1.WeightedPodAffinityTerm{Weight: preferredWeight, PodAffinityTerm: t.Term}
	switch {
	case t.Anti && t.Required:
		a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution = append(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, t.Term)
	case t.Anti:
		a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, weighted)
	case t.Required:
		a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution = append(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, t.Term)
	default:
		a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution, weighted)
	}
}

// template is a template whose runs go where the wish says.
func (w *placeWish) template(t *workflow.Template) *workflow.Template {
	if w == nil {
		return t
	}
	out, at := *t, w.placement()
	out.Spec.NodeSelector, out.Spec.Affinity = at.NodeSelector, at.Affinity
	return &out
}
