package local

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestTrafficByWeight(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("primary", 2)+testlocal.Web("backup", 1)+testlocal.RouteOver("primary", 100, "backup", 0))
	testlocal.WaitReady(t, o, "primary", "backup")
	at := testlocal.Address(t, o, "HTTPRoute", "models")
	share := func(requests int) map[string]int {
		got := map[string]int{}
		for range requests {
			status, body, err := testlocal.Get(at)
			require.NoError(t, err)
			require.Equal(t, 200, status, body)
			name, _, _ := strings.Cut(body, "-")
			got[name]++
		}
		return got
	}
	require.Equal(t, map[string]int{"primary": 50}, share(50))

	traffic := func(weights map[string]any) (engine.Change, engine.Outcome) {
		return act(t, o, proposal("traffic", "primary", map[string]any{"route": "models", "weights": weights}))
	}
	c, out := traffic(map[string]any{"primary": 70.0, "backup": 30.0})
	require.Equal(t, "weights primary 100 -> 70, backup 0 -> 30", c.Diff)
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, map[string]int{"primary": 140, "backup": 60}, share(200), "exact, not about")
	c, _ = traffic(map[string]any{"primary": 70.0, "backup": 30.0})
	require.True(t, c.NoOp)
	c, _ = traffic(map[string]any{"primary": 0.0, "backup": 100.0})
	require.Equal(t, "weights primary 70 -> 0, backup 30 -> 100", c.Diff)
	require.Equal(t, map[string]int{"backup": 50}, share(50))

	a := Traffic(o)
	for want, with := range map[string]map[string]any{
		"has no such backend: other, third; it has: backup, primary":                                            {"route": "models", "weights": map[string]any{"third": 1.0, "other": 1.0}},
		"there is no HTTPRoute test/none; these are: test/models":                                               {"route": "none", "weights": map[string]any{"backup": 1.0}},
		"with.weights: at least one must be above 0":                                                            {"route": "models", "weights": map[string]any{"backup": 0.0}},
		"with.weights.backup: must not be negative":                                                             {"route": "models", "weights": map[string]any{"backup": -1.0, "primary": 2.0}},
		"with.weights.backup: must be a whole number, not":                                                      {"route": "models", "weights": map[string]any{"backup": "x"}},
		"with.route: is missing":                                                                                {},
		"HTTPRoute test/models has no rule with exactly these backends; it has spec.rules[0] (primary, backup)": {"route": "models", "weights": map[string]any{"backup": 1.0}},
		`has no rule "main"; it has spec.rules[0] (primary, backup)`:                                            {"route": "models", "rule": "main", "weights": map[string]any{"backup": 1.0}},
	} {
		_, err := a.Plan(t.Context(), proposal("traffic", "primary", with))
		require.ErrorContains(t, err, want)
	}
}

// A rule that is named gives nothing to the backends that are not.
func TestTrafficOfANamedRule(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("primary", 1)+testlocal.Web("backup", 1)+strings.Replace(testlocal.RouteOver("primary", 100, "backup", 0), "    - backendRefs", "    - name: main\n      backendRefs", 1))
	c, out := act(t, o, proposal("traffic", "primary", map[string]any{"route": "models", "rule": "main", "weights": map[string]any{"backup": 100.0}}))
	require.Equal(t, "weights primary 100 -> 0, backup 0 -> 100", c.Diff)
	require.Equal(t, engine.Done, out.Status)
	_, err := Traffic(o).Plan(t.Context(), proposal("traffic", "primary", map[string]any{"route": "models", "rule": "other", "weights": map[string]any{"backup": 100.0}}))
	require.ErrorContains(t, err, `HTTPRoute test/models has no rule "other"; it has spec.rules[0] main (primary, backup)`)
}
