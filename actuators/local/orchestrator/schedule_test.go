package orchestrator

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSchedule(t *testing.T) {
	nodes := []string{"a", "b", "c"}
	shy := func(of string) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": of}},
			}},
		}}}
	}
	pod := func(app, node string, spec *corev1.PodSpec) podInfo {
		if spec == nil {
			spec = &corev1.PodSpec{}
		}
		return podInfo{node: node, workload: named("ns", app), labels: map[string]string{"app": app}, spec: spec}
	}
	near := func(to string) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: requiredTerms(shy(to).Affinity, true),
		}}}
	}
	rather := func(to string, anti bool) *corev1.PodSpec {
		list := []corev1.WeightedPodAffinityTerm{{Weight: 100, PodAffinityTerm: requiredTerms(shy(to).Affinity, true)[0]}}
		if anti {
			return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: list}}}
		}
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: list}}}
	}
	elsewhere := pod("web", "a", nil)
	elsewhere.workload.Namespace = "other"
	for name, c := range map[string]struct {
		want    podInfo
		running []podInfo
		node    string // "" is none
	}{
		"the first of equals":       {pod("web", "", nil), nil, "a"},
		"least loaded":              {pod("web", "", nil), []podInfo{pod("x", "a", nil), pod("y", "b", nil)}, "c"},
		"then spread the workload":  {pod("web", "", nil), []podInfo{pod("web", "a", nil), pod("x", "b", nil), pod("web", "c", nil)}, "b"},
		"selected":                  {pod("web", "", &corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: "c"}}), nil, "c"},
		"selected but unknown":      {pod("web", "", &corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: "z"}}), nil, ""},
		"shuns":                     {pod("batch", "", shy("web")), []podInfo{pod("web", "a", nil), pod("x", "b", nil), pod("y", "b", nil), pod("web", "c", nil)}, "b"},
		"is shunned":                {pod("web", "", nil), []podInfo{pod("batch", "a", shy("web"))}, "b"},
		"shuns its like":            {pod("web", "", shy("web")), []podInfo{pod("web", "a", shy("web")), pod("web", "b", shy("web"))}, "c"},
		"nowhere left":              {pod("web", "", shy("web")), []podInfo{pod("web", "a", nil), pod("web", "b", nil), pod("web", "c", nil)}, ""},
		"near":                      {pod("batch", "", near("web")), []podInfo{pod("web", "c", nil)}, "c"},
		"near to nobody":            {pod("batch", "", near("web")), nil, ""},
		"the first of its like":     {pod("web", "", near("web")), nil, "a"},
		"the second of its like":    {pod("web", "", near("web")), []podInfo{pod("web", "b", nil)}, "b"},
		"rather away":               {pod("batch", "", rather("web", true)), []podInfo{pod("web", "a", nil), pod("x", "b", nil), pod("x", "c", nil), pod("x", "c", nil)}, "b"},
		"rather away, but must":     {pod("batch", "", rather("web", true)), []podInfo{pod("web", "a", nil), pod("web", "b", nil), pod("web", "c", nil)}, "a"},
		"rather near":               {pod("batch", "", rather("web", false)), []podInfo{pod("web", "c", nil), pod("x", "c", nil)}, "c"},
		"not those of another name": {pod("batch", "", shy("web")), []podInfo{elsewhere, pod("x", "b", nil), pod("x", "c", nil)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			node, err := schedule(nodes, c.want, c.running)
			require.Equal(t, c.node, node)
			if c.node == "" {
				require.ErrorContains(t, err, "no node can take it (a: ")
			} else {
				require.NoError(t, err)
			}
		})
	}
}
