package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func p99(v float64) *float64 { return &v }

func TestTheObjectiveIsJudged(t *testing.T) {
	objective := Objective{P99MS: 300, ErrorRate: 0.001, Flaps: 1, MinReplicas: 3}
	good := func() *AutoscaleReport {
		return &AutoscaleReport{Objective: objective, Flaps: 1, Phases: []PhaseReport{
			{Name: "step", SettledP99: p99(299), Replicas: Replicas{End: 4}}, {Name: "fall", SettledP99: nil, Replicas: Replicas{End: 1}},
		}}
	}
	for name, row := range map[string]struct {
		change func(*AutoscaleReport)
		errors float64
		peak   int
		missed string
	}{
		"held":                       {func(*AutoscaleReport) {}, 0.001, 4, ""},
		"too slow":                   {func(r *AutoscaleReport) { r.Phases[0].SettledP99 = p99(301) }, 0, 4, "p99 of step, settled: 301 ms, and 300 is the objective"},
		"nothing known":              {func(r *AutoscaleReport) { r.Phases[0].SettledP99 = nil }, 0, 4, "no phase was long enough to settle: nothing is known of the latency"},
		"requests lost":              {func(*AutoscaleReport) {}, 0.002, 4, "error rate 0.0020, and 0.0010 is the objective"},
		"flapping":                   {func(r *AutoscaleReport) { r.Flaps = 2 }, 0, 4, "2 direction changes, and 1 is the objective"},
		"never scaled":               {func(r *AutoscaleReport) {}, 0, 2, "never more than 2 replicas ready, and the load needs 3"},
		"not scaled down afterwards": {func(r *AutoscaleReport) { r.Phases[1].Replicas.End = 4 }, 0, 4, "not scaled down after the load fell"},
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
	require.Equal(t, 0, directionChanges(nil))
	require.Equal(t, 0, directionChanges(acts("up", "up", "")))
	require.Equal(t, 1, directionChanges(acts("up", "up", "down", "down")))
	require.Equal(t, 3, directionChanges(acts("up", "down", "up", "", "down")))
	require.Equal(t, 0, directionChanges(acts("up", "failed", "up")), "what failed turned nothing")
}
