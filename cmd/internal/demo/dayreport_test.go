package demo

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

func TestTheDayIsJudged(t *testing.T) {
	good := func() *DayReport {
		return &DayReport{
			Objective: DayObjective{P99MS: 300, MinPeak: 3, EndReplicas: 1, BackS: 10, Rounds: 2, Writers: 1},
			Phases: []DayPhase{
				{PhaseReport: PhaseReport{Name: "noon", SettledP99: p99(299), Replicas: Replicas{Max: 3, End: 3}}},
				{PhaseReport: PhaseReport{Name: "night", SettledP99: p99(100), Replicas: Replicas{Max: 3, End: 1}}},
			},
			Rounds:   []Round{{Round: 1, Before: 0.7, After: 0.8}, {Round: 2, Before: 0.8, After: 0.9}},
			Requests: Requests{Sent: 100, Lost: 2, LostToKill: 2}, Kill: Kill{Pod: "digits-1", BackSeconds: p99(10)},
			Fields: []FieldWriters{{Target: "digits/digits", Claim: "model", Acts: map[string]int{"digits/planner": 3}}},
		}
	}
	for name, row := range map[string]struct {
		change func(*DayReport)
		missed string
	}{
		"held":                   {func(*DayReport) {}, ""},
		"one round":              {func(r *DayReport) { r.Rounds = r.Rounds[:1] }, "1 rounds of retraining, and 2 are wanted"},
		"a round that lost":      {func(r *DayReport) { r.Rounds[1].After = 0.8 }, "round 2 did not raise the accuracy: 0.8000 -> 0.8000"},
		"too slow":               {func(r *DayReport) { r.Phases[0].SettledP99 = p99(301) }, "p99 of noon, settled: 301 ms, and 300 is the objective"},
		"nothing known":          {func(r *DayReport) { r.Phases[0].SettledP99 = nil }, "p99 of noon, settled: nothing was measured"},
		"a request lost":         {func(r *DayReport) { r.Requests.Lost = 3 }, "1 requests lost, beside the 2 on the replica that died, and 0 may be"},
		"never scaled":           {func(r *DayReport) { r.Phases[0].Replicas.Max, r.Phases[1].Replicas.Max = 2, 2 }, "never more than 2 replicas ready, and the load needs 3"},
		"not scaled down":        {func(r *DayReport) { r.Phases[1].Replicas.End = 2 }, "2 replicas at the end, and the load needs 1"},
		"nobody was killed":      {func(r *DayReport) { r.Kill = Kill{} }, "no replica was killed"},
		"the dead stayed away":   {func(r *DayReport) { r.Kill.BackSeconds = nil }, "the replica that died did not come back"},
		"the dead took its time": {func(r *DayReport) { r.Kill.BackSeconds = p99(10.5) }, "the replica that died was back after 10.5 s, and 10 are allowed"},
		"two writers": {func(r *DayReport) { r.Fields[0].Acts["digits/scaler"] = 1 },
			"the field model of digits/digits was written by digits/planner and digits/scaler"},
		"two acts at a time": {func(r *DayReport) { r.Fields[0].Overlaps = 1 }, "1 acts on the field model of digits/digits began before the one before had ended"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			row.change(r)
			r.judge()
			require.Equal(t, row.missed == "", r.Held)
			if row.missed != "" {
				require.Equal(t, []string{row.missed}, r.Missed)
			}
		})
	}
}

// Requests in flight while the killed replica still counted as ready are counted separately.
func TestLostRequestsAreToldApart(t *testing.T) {
	record := func(at, took float64, status load.Status) load.Failure {
		return load.Failure{At: time.Duration(at * float64(time.Second)), Latency: time.Duration(took * float64(time.Second)), Status: status}
	}
	records := []load.Failure{
		record(5, 0.1, 503),                                     // long before
		record(9.9, 0.2, 502), record(10.05, 0.1, load.NoReply), // under way, and sent to the dead
		record(10.2, 0.1, 502), // after it was noticed
	}
	noticed := 0.1
	k := Kill{Pod: "digits-1", at: midnight.Add(10 * time.Second), noticed: midnight.Add(10100 * time.Millisecond), NoticedSeconds: &noticed}
	require.Equal(t, Requests{Sent: 6, Lost: 4, LostToKill: 2}, countRequests(6, records, midnight, &k))
	require.Equal(t, Requests{Sent: 6, Lost: 4}, countRequests(6, records, midnight, &Kill{}), "nobody was killed")
}

func TestAccuracyOfAPhase(t *testing.T) {
	points := []plot.Point{{At: 0, Value: 100}, {At: time.Second, Value: 90}, {At: 2 * time.Second, Value: 80}}
	require.InDelta(t, 0.95, *meanAccuracy(points, 0, 2*time.Second), 1e-9)
	require.Nil(t, meanAccuracy(points, 3*time.Second, 4*time.Second))
}

// In the evening the digits are distorted like the held-out ones, and at night they are clean.
func TestTheDayDriftsTwice(t *testing.T) {
	o := &Options{Speed: 1, Seed: 1}
	plan := dayPhases(o)
	drifts := dayDrifts(o, plan)
	require.Len(t, drifts, 2)
	d := dayDigits{stream: digits.Set{Images: make([]digits.Image, 1), Labels: []uint8{3}}, drifts: drifts}
	share := func(from int) float64 { // that any drift has spoilt, of 4,000
		n := 0
		for i := from; i < from+4000; i++ {
			for k := range drifts {
				img := d.stream.Images[0]
				if _, what := drifts[k].drift.Apply(&img, i); what.Kind != "" {
					n++
					break
				}
			}
		}
		return float64(n) / 4000
	}
	all := corrupt.DefaultMix()
	sum := func(mix corrupt.Mix) (sum float64) {
		for _, p := range mix {
			sum += p.Share
		}
		return sum
	}
	require.Equal(t, 30*5*imagesPerRequest, drifts[0].drift.Begin, "what the night brings, before")
	require.InDelta(t, sum(all[:2]), share(drifts[0].drift.Begin+drifts[0].drift.Over), 0.03)
	require.InDelta(t, sum(all), share(drifts[1].drift.Begin+drifts[1].drift.Over), 0.03)
	kind, body := d.body(7)
	require.Equal(t, "application/octet-stream", kind)
	require.Len(t, body, imagesPerRequest*784)
	require.Equal(t, strings.TrimSuffix(strings.Repeat("3,", imagesPerRequest), ","), d.header(7)["X-Label"])
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(raw)
}
