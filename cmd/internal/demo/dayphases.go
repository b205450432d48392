package demo

import (
	"math"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// DayPhase is one phase of the load, with the accuracy of its answers.
type DayPhase struct {
	PhaseReport
	Accuracy *float64 `json:"accuracy"` // 0 to 1; null if nothing was measured
}

// phases summarizes the phases.
func (d *day) phases(settled time.Duration) (out []DayPhase) {
	var begin time.Duration
	replicas := d.records.readyOf(predictor.Name)
	for i, sum := range d.result.Phases {
		p := d.plan[i]
		end := begin + p.Duration
		first, last, least, most := replicasBetween(replicas, begin, end)
		out = append(out, DayPhase{Accuracy: meanAccuracy(d.live.list(), begin, end), PhaseReport: PhaseReport{
			Name: p.Name, StartS: begin.Seconds(), Seconds: sum.Seconds, TargetRate: round(sum.TargetRate), Rate: round(sum.OfferedRate),
			P50: round(sum.P50), P99: round(sum.P99), SettledP99: d.p99WithoutKill(begin+settled, end, settled), ErrorRate: sum.ErrorRate,
			Replicas: Replicas{first, last, least, most}, RequestCount: sum.Count,
		}})
		begin = end
	}
	return out
}

// p99WithoutKill is the p99 of an interval without the settling time after the kill: the
// larger of the values before and after. It is nil if nothing was answered.
func (d *day) p99WithoutKill(from, to, settled time.Duration) *float64 {
	died := to
	if d.kill.Pod != "" {
		died = d.kill.at.Sub(d.began)
	}
	var worst *float64
	for _, part := range [][2]time.Duration{{from, min(died, to)}, {max(from, died+settled), to}} {
		if part[1] <= part[0] {
			continue
		}
		if v := settledP99(d.result.Between(part[0], part[1])); v != nil && (worst == nil || *v > *worst) {
			worst = v
		}
	}
	return worst
}

// meanAccuracy is the mean of the measured accuracies within an interval, in percent.
func meanAccuracy(points []plot.Point, from, to time.Duration) *float64 {
	var sum float64
	n := 0
	for _, p := range points {
		if p.At >= from && p.At < to && !math.IsNaN(p.Value) {
			sum, n = sum+p.Value, n+1
		}
	}
	if n == 0 {
		return nil
	}
	v := math.Round(sum/float64(n)*100) / 10000
	return &v
}
