package sensors_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// podWorld is an orchestrator with pods, each with a namespace, a name and a node.
type podWorld struct {
	workloads
	pods  [][3]string
	asked *[][]string
	err   error
}

func (w podWorld) Pods(map[string]string) (
	read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
	release func(), err error,
) {
	return func(_ context.Context, namespaces []string, each func(namespace, name, node string)) error {
		*w.asked = append(*w.asked, namespaces)
		for _, p := range w.pods {
			if len(namespaces) == 0 || slices.Contains(namespaces, p[0]) {
				each(p[0], p[1], p[2])
			}
		}
		return w.err
	}, func() {}, nil
}

func TestColocated(t *testing.T) {
	a, b, waiting, gone := target("x", "a"), target("x", "b"), target("x", "waiting"), target("x", "gone")
	far := target("y", "far")
	w := podWorld{asked: &[][]string{}, workloads: workloads{
		a.ID():       {Pods: []engine.Pod{{Name: "a-1", Node: "n1"}, {Name: "a-2", Node: "n2"}, {Name: "a-3", Node: "n1"}, {Name: "a-4"}}},
		b.ID():       {Pods: []engine.Pod{{Name: "b-1", Node: "n3"}}},
		waiting.ID(): {Pods: []engine.Pod{{Name: "w-1"}}},
		far.ID():     {Pods: []engine.Pod{{Name: "far-1", Node: "n1"}}},
	}, pods: [][3]string{
		{"x", "batch-1", "n1"}, {"x", "batch-2", "n2"}, {"x", "batch-3", "n4"},
		{"x", "a-1", "n1"},     // its own pod is nobody's company
		{"y", "batch-4", "n1"}, // of another namespace
	}}
	empty := func(why string) engine.Signal { return engine.Signal{State: engine.Empty, Problem: why} }
	ok := func(v float64) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	unknown, noNode := empty("the orchestrator runs no such workload"), empty("no pod of the workload has a node")
	s := build(t, "colocated", &sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}}, sensors.Env{Workloads: w})
	require.Equal(t, engine.Reading{ok(2), ok(0), noNode, unknown}, sampleAt(t, s, now, a, b, waiting, gone))
	require.Equal(t, [][]string{{"x"}}, *w.asked, "once for the whole fleet")
	require.Equal(t, engine.Reading{ok(2), ok(1)}, sampleAt(t, s, now, a, far), "each by its own namespace")
	require.Nil(t, (*w.asked)[1], "the fleet is of several")
	s = build(t, "colocated", &sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}, Namespaces: []string{"y"}}, sensors.Env{Workloads: w})
	require.Equal(t, engine.Reading{ok(1), ok(0)}, sampleAt(t, s, now, a, b))
	require.Empty(t, sampleAt(t, s, now))

	w.err = errors.New("the API server is away")
	s = build(t, "colocated", &sensors.ColocatedConfig{MatchLabels: map[string]string{"app": "batch"}}, sensors.Env{Workloads: w})
	require.ErrorContains(t, failing(t, s, a), "the API server is away")
}

func TestColocatedIsChecked(t *testing.T) {
	config := &sensors.ColocatedConfig{Namespaces: []string{"x", "", "*"}}
	require.Equal(t, []string{
		"matchLabels: is empty, and would take every pod; name a label of the pods to look for",
		"namespaces[1]: must be the name of a namespace", "namespaces[2]: must be the name of a namespace",
	}, config.Check().Lines())
	_, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: map[string]string{"a": "b"}}, sensors.Env{})
	require.ErrorContains(t, err, "no orchestrator runs here")
}

// Labels that no pod can have would select none, which would be reported as 0.
func TestLabelsThatNoPodCanHaveAreMistakes(t *testing.T) {
	for name, row := range map[string]struct {
		config sensors.ColocatedConfig
		want   string
	}{
		"a name with a space":     {sensors.ColocatedConfig{MatchLabels: map[string]string{"a b": "c"}}, `matchLabels["a b"]: is no name of a label`},
		"no name":                 {sensors.ColocatedConfig{MatchLabels: map[string]string{"": "c"}}, `matchLabels[""]: is no name of a label`},
		"two slashes":             {sensors.ColocatedConfig{MatchLabels: map[string]string{"a/b/c": "c"}}, `matchLabels["a/b/c"]: is no name of a label`},
		"a list for a value":      {sensors.ColocatedConfig{MatchLabels: map[string]string{"a": "b,c"}}, `matchLabels.a: no label has the value "b,c"`},
		"a star for a value":      {sensors.ColocatedConfig{MatchLabels: map[string]string{"a": "*"}}, `matchLabels.a: no label has the value "*"`},
		"a namespace in capitals": {sensors.ColocatedConfig{MatchLabels: map[string]string{"a": "b"}, Namespaces: []string{"Batch"}}, "namespaces[0]: must be the name of a namespace"},
		"a namespace with a dot":  {sensors.ColocatedConfig{MatchLabels: map[string]string{"a": "b"}, Namespaces: []string{"a.b"}}, "namespaces[0]: must be the name of a namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			got := row.config.Check().Lines()
			require.Len(t, got, 1)
			require.Contains(t, got[0], row.want)
		})
	}
	require.Empty(t, (&sensors.ColocatedConfig{MatchLabels: map[string]string{"example.com/Work": "", "a": "b_C.1"}, Namespaces: []string{"batch-1"}}).Check())
}

func TestLabelsThatNoObjectCanHaveAreMistakes(t *testing.T) {
	got := (&sensors.ObjectSelector{MatchLabels: map[string]string{"a b": "c", "d": "*"}}).Check().Lines()
	require.Len(t, got, 2)
	require.Contains(t, got[0], `matchLabels["a b"]: is no name of a label`)
	require.Contains(t, got[1], `matchLabels.d: no label has the value "*"`)
}
