package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// A faster demo runs the shipped agent with all durations divided, including windows and
// cooldowns.
func TestAtSpeed(t *testing.T) {
	raw, err := deploy.FS.ReadFile("local/autoscale/planner.yaml")
	require.NoError(t, err)
	read := func(raw []byte) *manifest.Agent {
		agents, err := manifest.ReadBytes("a.yaml", raw, agentspec.Kinds())
		require.NoError(t, err)
		require.Len(t, agents, 1)
		return agents[0]
	}
	fast, err := pace{by: 4}.agents(raw)
	require.NoError(t, err)
	was, is := read(raw), read(fast)
	require.Equal(t, was.Spec.Triggers[0].Every.Duration/4, is.Spec.Triggers[0].Every.Duration)
	require.Equal(t, was.Spec.Guards.Cooldown["down"].Duration/4, is.Spec.Guards.Cooldown["down"].Duration)
	require.Equal(t, was.Spec.Sensors[0].StaleAfter.Duration/4, is.Spec.Sensors[0].StaleAfter.Duration)
	require.Equal(t, `sum by (namespace, deployment) (rate(http_requests_total{path="/predict"}[2s]))`, is.Spec.Sensors[0].Config.(*sensors.PrometheusConfig).Query)
	require.Equal(t, was.Spec.Strategies, is.Spec.Strategies)
	require.Equal(t, was.Spec.Params, is.Spec.Params)
	require.Equal(t, was.Spec.Guards.Replicas, is.Spec.Guards.Replicas)
}

// All durations of a query are divided. One that is not would look back too far relative to the
// others.
func TestAtSpeedQueries(t *testing.T) {
	for name, row := range map[string]struct {
		pace     pace
		was, now string
	}{
		"a range":                       {pace{by: 4}, `rate(x[8s])`, `rate(x[2s])`},
		"a range at its least":          {pace{by: 4, window: 3 * time.Second}, `rate(x[8s])`, `rate(x[3s])`},
		"a subquery":                    {pace{by: 4}, `max_over_time(rate(x[8s])[1m:4s])`, `max_over_time(rate(x[2s])[15s:1s])`},
		"a subquery without a step":     {pace{by: 4}, `max_over_time(x[1m:])`, `max_over_time(x[15s:])`},
		"a subquery at its least":       {pace{by: 60, interval: 2 * time.Second, window: 5 * time.Second}, `max_over_time(x[1m:4s])`, `max_over_time(x[5s:2s])`},
		"a subquery in a subquery":      {pace{by: 2}, `max_over_time(min_over_time(x[20s:2s])[1m:4s])`, `max_over_time(min_over_time(x[10s:1s])[30s:2s])`},
		"an offset":                     {pace{by: 4}, `x offset 1m`, `x offset 15s`},
		"an offset ahead":               {pace{by: 4}, `x offset -1m`, `x offset -15s`},
		"an offset of a range":          {pace{by: 4}, `rate(x[8s] offset 1m)`, `rate(x[2s] offset 15s)`},
		"an offset of a subquery":       {pace{by: 4}, `max_over_time(x[1m:4s] offset 8s)`, `max_over_time(x[15s:1s] offset 2s)`},
		"what has no span is as it was": {pace{by: 4}, `sum by (namespace) (x) / 2`, `sum by (namespace) (x) / 2`},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := row.pace.query(row.was)
			require.NoError(t, err)
			require.Equal(t, row.now, now)
		})
	}
}
