package local

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	fresh := func(name string, serial int, ready bool) member {
		return member{name: name, current: true, placed: true, ready: ready, serial: serial}
	}
	old := func(name string, serial int, ready bool) member {
		return member{name: name, placed: true, ready: ready, serial: serial}
	}
	one := surge{above: 1}
	for name, c := range map[string]struct {
		desired int
		surge   surge
		members []member
		create  int
		end     []string
	}{
		"from nothing":                {3, one, nil, 3, nil},
		"as wanted":                   {2, one, []member{fresh("a", 1, true), fresh("b", 2, false)}, 0, nil},
		"newest first":                {1, one, []member{fresh("a", 1, true), fresh("b", 2, true), fresh("c", 3, true)}, 0, []string{"c", "b"}},
		"not ready first":             {1, one, []member{fresh("a", 1, false), fresh("b", 2, true)}, 0, []string{"a"}},
		"without a node before those": {1, one, []member{fresh("a", 2, false), {name: "b", current: true, serial: 1}}, 0, []string{"b"}},
		"to zero":                     {0, one, []member{fresh("a", 1, true), old("b", 2, true)}, 0, []string{"a", "b"}},
		"roll: a new one first":       {2, one, []member{old("a", 1, true), old("b", 2, true)}, 1, nil},
		"roll: wait for it":           {2, one, []member{old("a", 1, true), old("b", 2, true), fresh("c", 3, false)}, 0, nil},
		"roll: then an old one goes":  {2, one, []member{old("a", 1, true), old("b", 2, true), fresh("c", 3, true)}, 0, []string{"b"}},
		"roll: the next":              {2, one, []member{old("a", 1, true), fresh("c", 3, true)}, 1, nil},
		"roll: sick old ones go":      {2, one, []member{old("a", 1, false), old("b", 2, true), fresh("c", 3, true)}, 0, []string{"a"}},
		"roll: may miss one":          {2, surge{missing: 1}, []member{old("a", 1, true), old("b", 2, true)}, 0, []string{"b"}},
		"roll and grow":               {4, one, []member{old("a", 1, true), old("b", 2, true)}, 3, nil},
		"roll and shrink":             {1, one, []member{old("a", 1, true), old("b", 2, true), old("c", 3, true)}, 0, []string{"c", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			create, end := plan(c.desired, c.surge, c.members)
			require.Equal(t, c.create, create)
			require.Equal(t, c.end, end)
		})
	}
}

// Whatever becomes ready or sick in between: a change of template ends, never makes
// more pods than the surge allows, and never ends a ready pod below what it allows.
func TestPlanRollsSafely(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		desired := rapid.IntRange(0, 6).Draw(t, "desired")
		s := surge{rapid.IntRange(0, 3).Draw(t, "above"), rapid.IntRange(0, 3).Draw(t, "missing")}
		if s == (surge{}) {
			s.above = 1
		}
		pods := map[string]member{}
		serial := 0
		add := func(current, ready bool) {
			serial++
			name := fmt.Sprint(serial)
			pods[name] = member{name: name, current: current, placed: true, ready: ready, serial: serial}
		}
		for range desired {
			add(false, rapid.Bool().Draw(t, "old ready"))
		}
		step := func() bool {
			var list []member
			ready := 0
			for i := range serial {
				if m, ok := pods[fmt.Sprint(i+1)]; ok {
					list = append(list, m)
					if m.ready {
						ready++
					}
				}
			}
			create, end := plan(desired, s, list)
			for _, name := range end {
				if pods[name].ready {
					ready--
					require.GreaterOrEqual(t, ready, desired-s.missing, "too few ready")
				}
				delete(pods, name)
			}
			for range create {
				add(true, false)
			}
			require.LessOrEqual(t, len(pods), desired+s.above, "too many")
			return create > 0 || len(end) > 0
		}
		for range 20 {
			step()
			for name, m := range pods {
				if m.current {
					m.ready = rapid.Bool().Draw(t, "ready")
					pods[name] = m
				}
			}
		}
		for range 50 { // once all stay well it must come to an end
			for name, m := range pods {
				m.ready = true
				pods[name] = m
			}
			if !step() {
				break
			}
		}
		require.Len(t, pods, desired)
		for _, m := range pods {
			require.True(t, m.current)
		}
	})
}

func TestPlace(t *testing.T) {
	nodes := []string{"a", "b", "c"}
	shy := func(of string) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: hostnameKey, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": of}},
			}},
		}}}
	}
	pod := func(app, node string, spec *corev1.PodSpec) placement {
		if spec == nil {
			spec = &corev1.PodSpec{}
		}
		return placement{node: node, workload: key{"ns", app}, labels: map[string]string{"app": app}, spec: spec}
	}
	near := func(to string) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: antiAffinity(shy(to).Affinity),
		}}}
	}
	rather := func(to string, anti bool) *corev1.PodSpec {
		list := []corev1.WeightedPodAffinityTerm{{Weight: 100, PodAffinityTerm: antiAffinity(shy(to).Affinity)[0]}}
		if anti {
			return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: list}}}
		}
		return &corev1.PodSpec{Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: list}}}
	}
	elsewhere := pod("web", "a", nil)
	elsewhere.workload.namespace = "other"
	for name, c := range map[string]struct {
		want    placement
		running []placement
		node    string // "" is none
	}{
		"the first of equals":       {pod("web", "", nil), nil, "a"},
		"least loaded":              {pod("web", "", nil), []placement{pod("x", "a", nil), pod("y", "b", nil)}, "c"},
		"then spread the workload":  {pod("web", "", nil), []placement{pod("web", "a", nil), pod("x", "b", nil), pod("web", "c", nil)}, "b"},
		"selected":                  {pod("web", "", &corev1.PodSpec{NodeSelector: map[string]string{hostnameKey: "c"}}), nil, "c"},
		"selected but unknown":      {pod("web", "", &corev1.PodSpec{NodeSelector: map[string]string{hostnameKey: "z"}}), nil, ""},
		"shuns":                     {pod("batch", "", shy("web")), []placement{pod("web", "a", nil), pod("x", "b", nil), pod("y", "b", nil), pod("web", "c", nil)}, "b"},
		"is shunned":                {pod("web", "", nil), []placement{pod("batch", "a", shy("web"))}, "b"},
		"shuns its like":            {pod("web", "", shy("web")), []placement{pod("web", "a", shy("web")), pod("web", "b", shy("web"))}, "c"},
		"nowhere left":              {pod("web", "", shy("web")), []placement{pod("web", "a", nil), pod("web", "b", nil), pod("web", "c", nil)}, ""},
		"near":                      {pod("batch", "", near("web")), []placement{pod("web", "c", nil)}, "c"},
		"near to nobody":            {pod("batch", "", near("web")), nil, ""},
		"the first of its like":     {pod("web", "", near("web")), nil, "a"},
		"the second of its like":    {pod("web", "", near("web")), []placement{pod("web", "b", nil)}, "b"},
		"rather away":               {pod("batch", "", rather("web", true)), []placement{pod("web", "a", nil), pod("x", "b", nil), pod("x", "c", nil), pod("x", "c", nil)}, "b"},
		"rather away, but must":     {pod("batch", "", rather("web", true)), []placement{pod("web", "a", nil), pod("web", "b", nil), pod("web", "c", nil)}, "a"},
		"rather near":               {pod("batch", "", rather("web", false)), []placement{pod("web", "c", nil), pod("x", "c", nil)}, "c"},
		"not those of another name": {pod("batch", "", shy("web")), []placement{elsewhere, pod("x", "b", nil), pod("x", "c", nil)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			node, err := place(nodes, c.want, c.running)
			require.Equal(t, c.node, node)
			if c.node == "" {
				require.ErrorContains(t, err, "no node can take it (a: ")
			} else {
				require.NoError(t, err)
			}
		})
	}
}
