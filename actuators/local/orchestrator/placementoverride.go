package orchestrator

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// PlacementOverride holds the terms and node labels that were added to the YAML's placement
// of an object. It holds until the YAML's placement changes.
type PlacementOverride struct {
	Terms        []PlacementTerm    `json:"terms,omitempty"`
	NodeSelector map[string]string  `json:"nodeSelector,omitempty"`
	Declared     workflow.Placement `json:"declared"` // in the YAML
}

// PlacementTerm is a term of affinity to other pods, or of anti-affinity.
type PlacementTerm struct {
	Anti     bool                   `json:"anti,omitempty"`
	Required bool                   `json:"required,omitempty"`
	Term     corev1.PodAffinityTerm `json:"term"`
}

// preferredWeight is the weight of an added term that is not required: the highest.
const preferredWeight = 100

// Equal reports whether two terms are equal.
func (t *PlacementTerm) Equal(other PlacementTerm) bool {
	return equality.Semantic.DeepEqual(*t, other)
}

// OrNil returns nil for an override that adds nothing.
func (p *PlacementOverride) OrNil() *PlacementOverride {
	if p == nil || len(p.Terms) == 0 && len(p.NodeSelector) == 0 {
		return nil
	}
	return p
}

// Clone returns a copy that may be changed, over a placement of the YAML.
func (p *PlacementOverride) Clone(declared workflow.Placement) *PlacementOverride {
	out := &PlacementOverride{Declared: declared, NodeSelector: map[string]string{}}
	if p != nil {
		out.Terms = slices.Clone(p.Terms)
		maps.Copy(out.NodeSelector, p.NodeSelector)
	}
	return out
}

// Equal reports whether two overrides add the same, over whatever placement of the YAML.
func (p *PlacementOverride) Equal(other *PlacementOverride) bool {
	p, other = p.OrNil(), other.OrNil()
	if p == nil || other == nil {
		return p == other
	}
	return slices.EqualFunc(p.Terms, other.Terms, func(a, b PlacementTerm) bool { return a.Equal(b) }) && maps.Equal(p.NodeSelector, other.NodeSelector)
}

// outdated reports whether the YAML's placement changed since the override was set.
func (p *PlacementOverride) outdated(declared workflow.Placement) bool {
	return !p.Declared.Equal(declared)
}

// Placement joins the YAML's placement and the override.
func (p *PlacementOverride) Placement() workflow.Placement {
	out := p.Declared
	if len(p.NodeSelector) > 0 {
		out.NodeSelector = map[string]string{}
		maps.Copy(out.NodeSelector, p.Declared.NodeSelector)
		maps.Copy(out.NodeSelector, p.NodeSelector)
	}
	if len(p.Terms) > 0 {
		out.Affinity = &corev1.Affinity{}
		if p.Declared.Affinity != nil {
			out.Affinity = p.Declared.Affinity.DeepCopy()
		}
		for _, t := range p.Terms {
			t.addTo(out.Affinity)
		}
	}
	return out
}

// Template returns a template whose runs are placed by the override.
func (p *PlacementOverride) Template(t *workflow.Template) *workflow.Template {
	if p == nil {
		return t
	}
	out, at := *t, p.Placement()
	out.Spec.NodeSelector, out.Spec.Affinity = at.NodeSelector, at.Affinity
	return &out
}

func (t *PlacementTerm) addTo(a *corev1.Affinity) {
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
