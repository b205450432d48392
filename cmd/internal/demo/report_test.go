package demo

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func p99(v float64) *float64 { return &v }

func TestTheObjectiveIsJudged(t *testing.T) {
	objective := Objective{P99MS: 300, ErrorRate: 0.001, Flaps: 1, MinReplicas: 3}
	good := func() *Report {
		return &Report{Objective: objective, Flaps: 1, Phases: []PhaseReport{
			{Name: "step", SettledP99: p99(299), Replicas: Replicas{End: 4}}, {Name: "fall", SettledP99: nil, Replicas: Replicas{End: 1}},
		}}
	}
	for name, row := range map[string]struct {
		change func(*Report)
		errors float64
		peak   int
		missed string
	}{
		"held":                       {func(*Report) {}, 0.001, 4, ""},
		"too slow":                   {func(r *Report) { r.Phases[0].SettledP99 = p99(301) }, 0, 4, "p99 of step, settled: 301 ms, and 300 is the objective"},
		"nothing known":              {func(r *Report) { r.Phases[0].SettledP99 = nil }, 0, 4, "no phase was long enough to settle: nothing is known of the latency"},
		"requests lost":              {func(*Report) {}, 0.002, 4, "error rate 0.0020, and 0.0010 is the objective"},
		"flapping":                   {func(r *Report) { r.Flaps = 2 }, 0, 4, "2 direction changes, and 1 is the objective"},
		"never scaled":               {func(r *Report) {}, 0, 2, "never more than 2 replicas ready, and the load needs 3"},
		"not scaled down afterwards": {func(r *Report) { r.Phases[1].Replicas.End = 4 }, 0, 4, "not scaled down after the load fell"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			row.change(r)
			r.judge(row.errors, row.peak)
			require.Equal(t, row.missed == "", r.Held)
			if row.missed != "" {
				require.Equal(t, []string{row.missed}, r.Missed)
			}
		})
	}
}

func TestTurns(t *testing.T) {
	acts := func(directions ...string) (out []Act) {
		for _, d := range directions {
			outcome := "done"
			if d == "failed" {
				d, outcome = "down", "failed"
			}
			out = append(out, Act{Direction: d, Outcome: outcome})
		}
		return out
	}
	require.Equal(t, 0, turns(nil))
	require.Equal(t, 0, turns(acts("up", "up", "")))
	require.Equal(t, 1, turns(acts("up", "up", "down", "down")))
	require.Equal(t, 3, turns(acts("up", "down", "up", "", "down")))
	require.Equal(t, 0, turns(acts("up", "failed", "up")), "what failed turned nothing")
}

func TestReplicasBetween(t *testing.T) {
	at := func(s, v float64) plot.Point {
		return plot.Point{At: time.Duration(s * float64(time.Second)), Value: v}
	}
	points := []plot.Point{at(0, 1), at(12, 3), at(15, 4), at(30, 2), at(31, 1)}
	for _, row := range []struct {
		from, to                 time.Duration
		first, last, least, most int
	}{
		{0, 10 * time.Second, 1, 1, 1, 1},
		{10 * time.Second, 20 * time.Second, 1, 4, 1, 4},
		{20 * time.Second, 29 * time.Second, 4, 4, 4, 4},
		{20 * time.Second, 40 * time.Second, 4, 1, 1, 4},
	} {
		first, last, least, most := between(points, row.from, row.to)
		require.Equal(t, []int{row.first, row.last, row.least, row.most}, []int{first, last, least, most}, "%s to %s", row.from, row.to)
	}
}

// The agent that the demo runs faster is the one that ships, with every duration
// divided: windows and cooldowns alike.
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

// Every span of a query is divided: one that is not would look back over what happened
// long before, at the speed that the rest has.
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

func TestTheFilesAreLaidOutAsTheyShip(t *testing.T) {
	o := &Options{Dir: t.TempDir(), Speed: 1, Out: &bytes.Buffer{}}
	f, err := layOut(o, "/models/m.digits")
	require.NoError(t, err)
	agents, err := manifest.Read([]string{f.agents}, agentspec.Kinds())
	require.NoError(t, err)
	require.Len(t, agents, 1)
	require.FileExists(t, f.policies.Paths[0]+"/.manifest")
	require.FileExists(t, f.policies.Paths[0]+"/scanflow/strategies/serving/autoscale/autoscale_test.rego")
	src, err := f.policies.Read(t.Context())
	require.NoError(t, err)
	shipped, err := policysource.Source{}.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, shipped.ID(), src.ID())
}
