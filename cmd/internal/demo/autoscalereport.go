package demo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// AutoscaleReport is the result of the run. Its JSON is the last line of `scanflow demo
// --json`.
type AutoscaleReport struct {
	Scenario  string        `json:"scenario"`
	Seed      uint64        `json:"seed"`
	Speed     float64       `json:"speed"`
	Model     digits.Info   `json:"model"`
	Objective Objective     `json:"objective"`
	Phases    []PhaseReport `json:"phases"`
	Acts      []Act         `json:"acts"`
	// Flaps is the number of direction changes between one act and the next.
	Flaps int  `json:"flaps"`
	Held  bool `json:"held"`
	// Missed describes the objectives that were missed.
	Missed []string `json:"missed,omitempty"`
}

// Objective is the required quality of service: the p99 latency of each phase after its
// settling time, the share of failed requests over the whole run, and the direction changes
// (one, because the load turns once).
type Objective struct {
	P99MS       float64 `json:"p99_ms"`
	SettleS     float64 `json:"settle_s"`
	ErrorRate   float64 `json:"error_rate"`
	Flaps       int     `json:"flaps"`
	MinReplicas int     `json:"peak_replicas_at_least"`
}

// PhaseReport is one phase of the load. Latencies are in milliseconds, from the time at which
// a request was due.
type PhaseReport struct {
	Name         string   `json:"name"`
	StartS       float64  `json:"start_s"`
	Seconds      float64  `json:"seconds"`
	TargetRate   float64  `json:"target_requests_per_second"`
	Rate         float64  `json:"requests_per_second"`
	P50          float64  `json:"p50_ms"`
	P99          float64  `json:"p99_ms"`
	SettledP99   *float64 `json:"settled_p99_ms"` // null if the phase was too short to settle
	ErrorRate    float64  `json:"error_rate"`
	Replicas     Replicas `json:"replicas"`
	RequestCount int      `json:"requests"`
}

// Replicas is the number of ready replicas during a phase.
type Replicas struct {
	Start int `json:"start"`
	End   int `json:"end"`
	Min   int `json:"min"`
	Max   int `json:"max"`
}

// settleTime bounds the time after a step of the load in which the latency exceeds its
// objective. The published system took about 15 s.
const settleTime = 10 * time.Second

// minSettleTime applies at any speed: replicas do not start faster.
const minSettleTime = 3 * time.Second

func newAutoscaleReport(o *Options, info digits.Info, st *autoscaleStage) *AutoscaleReport {
	settled := max(o.scaled(settleTime), minSettleTime)
	r := &AutoscaleReport{
		Scenario: "autoscale", Seed: o.Seed, Speed: o.Speed, Model: info, Acts: st.narrator.list(),
		Objective: Objective{P99MS: 300, SettleS: settled.Seconds(), ErrorRate: 0.001, Flaps: 1, MinReplicas: 3},
	}
	replicas := st.replicas.list()
	var begin time.Duration
	peak := 0
	for i, p := range autoscalePhases(o) {
		if i >= len(st.result.Phases) {
			break
		}
		sum := st.result.Phases[i]
		end := begin + p.Duration
		first, last, least, most := replicasBetween(replicas, begin, end)
		peak = max(peak, most)
		r.Phases = append(r.Phases, PhaseReport{
			Name: p.Name, StartS: begin.Seconds(), Seconds: sum.Seconds, TargetRate: round(sum.TargetRate), Rate: round(sum.OfferedRate),
			P50: round(sum.P50), P99: round(sum.P99), SettledP99: settledP99(st.result.Between(begin+settled, end)), ErrorRate: sum.ErrorRate,
			Replicas: Replicas{first, last, least, most}, RequestCount: sum.Count,
		})
		begin = end
	}
	r.Flaps = directionChanges(r.Acts)
	r.judge(st.result.Total.ErrorRate, peak)
	return r
}

func (r *AutoscaleReport) judge(errorRate float64, peak int) {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	measured := 0
	for _, p := range r.Phases {
		if p.SettledP99 != nil {
			measured++
		}
	}
	if measured == 0 {
		miss("no phase was long enough to settle: nothing is known of the latency")
	}
	for _, p := range r.Phases {
		if p.SettledP99 != nil && *p.SettledP99 > r.Objective.P99MS {
			miss("p99 of %s, settled: %.0f ms, and %.0f is the objective", p.Name, *p.SettledP99, r.Objective.P99MS)
		}
	}
	if errorRate > r.Objective.ErrorRate {
		miss("error rate %.4f, and %.4f is the objective", errorRate, r.Objective.ErrorRate)
	}
	if r.Flaps > r.Objective.Flaps {
		miss("%d direction changes, and %d is the objective", r.Flaps, r.Objective.Flaps)
	}
	if peak < r.Objective.MinReplicas {
		miss("never more than %d replicas ready, and the load needs %d", peak, r.Objective.MinReplicas)
	}
	if n := len(r.Phases); n > 0 && r.Phases[n-1].Replicas.End >= peak {
		miss("not scaled down after the load fell")
	}
	r.Held = len(r.Missed) == 0
}

// directionChanges counts the acts with another direction than the previous one.
func directionChanges(acts []Act) int {
	n, last := 0, ""
	for _, a := range acts {
		if a.Direction == "" || a.Outcome != "done" {
			continue
		}
		if last != "" && a.Direction != last {
			n++
		}
		last = a.Direction
	}
	return n
}

// settledP99 returns nil if nothing was answered: a missing value is not a good value.
func settledP99(s load.Summary) *float64 {
	if s.Count == s.Errors {
		return nil
	}
	v := round(s.P99)
	return &v
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// text formats the report: a table, a chart and a verdict.
func (r *AutoscaleReport) text(o *Options, s *screen, st *autoscaleStage) string {
	var b strings.Builder
	table := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true, true},
		Header: []string{"phase", "req/s", "p50 ms", "p99 ms", "p99 settled", "errors", "replicas", "requests"}}
	for _, p := range r.Phases {
		table.Rows = append(table.Rows, []string{p.Name, fmt.Sprintf("%.1f", p.Rate), fmt.Sprintf("%.0f", p.P50), fmt.Sprintf("%.0f", p.P99),
			orDash(p.SettledP99), fmt.Sprintf("%.2f%%", 100*p.ErrorRate), fmt.Sprintf("%d..%d", p.Replicas.Min, p.Replicas.Max), fmt.Sprint(p.RequestCount)})
	}
	b.WriteString(table.String() + "\n")
	b.WriteString(r.chart(o, s, st).String())
	if r.Held {
		fmt.Fprintf(&b, "\n%s %d acts, %d direction change(s), p99 under %.0f ms in every settled phase, no request lost.\n", s.good("The objective held:"), len(r.Acts), r.Flaps, r.Objective.P99MS)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("The objective did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func orDash(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f", *v)
}

func (r *AutoscaleReport) chart(o *Options, s *screen, st *autoscaleStage) plot.Chart {
	var rate, p99 []plot.Point
	for _, p := range st.result.Series(o.scaled(time.Second)) {
		rate = append(rate, plot.Point{At: p.At, Value: p.OfferedRate})
		p99 = append(p99, p99Point(p))
	}
	c := plot.Chart{Width: min(plot.Width(o.Out), 110), Span: load.Total(autoscalePhases(o)), Color: s.color, Panels: []plot.Panel{
		{Title: "load", Unit: "requests/s", Lines: []plot.Series{{Points: rate, Color: plot.Cyan}}},
		{Title: "replicas", Unit: "ready", Lines: []plot.Series{{Points: st.replicas.list(), Step: true, Color: plot.Green}}},
		{Title: "latency p99", Unit: "ms", Lines: []plot.Series{{Points: p99, Color: plot.Yellow}}, Objective: r.Objective.P99MS, Top: 2 * r.Objective.P99MS},
	}}
	for _, p := range r.Phases {
		c.Marks = append(c.Marks, plot.Mark{At: time.Duration(p.StartS * float64(time.Second)), Label: p.Name})
	}
	return c
}
