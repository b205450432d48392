package demo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// The scalers.
const (
	scaledByAgent      = "scanflow"
	scaledByHPA        = "hpa"
	scaledByController = "hpa-controller"
	scaledByBoth       = "hpa-controller and scanflow"
)

// otherScaler is the scaler that the agent is compared with.
func (o *Options) otherScaler() string {
	if o.Kubernetes != nil {
		return scaledByController
	}
	return scaledByHPA
}

// maxReplicas bounds the replicas of both scalers. With 0.1 of a core each, they fit on two
// shared cores.
const maxReplicas = 8

// MLPerfReport is the result of the run. Its JSON is the last line of `scanflow demo mlperf
// --json`.
type MLPerfReport struct {
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	Speed    float64 `json:"speed"`
	BoundMS  float64 `json:"bound_ms"`
	// Capacity is the measured capacity of one replica, in requests per second.
	Capacity float64      `json:"capacity_requests_per_second"`
	Runs     []*MLPerfRun `json:"runs"`
	Held     bool         `json:"held"`
	Missed   []string     `json:"missed,omitempty"`
}

type MLPerfRun struct {
	Scaler  string `json:"scaler"`
	Queries int    `json:"queries"`
	Errors  int    `json:"errors"`
	// OverBound is the share of queries that were answered later than the bound, or not at
	// all.
	OverBound      float64       `json:"over_bound"`
	P50            float64       `json:"p50_ms"`
	P99            float64       `json:"p99_ms"`
	ReplicaSeconds float64       `json:"replica_seconds"`
	Turns          int           `json:"direction_changes"`
	Cost           Cost          `json:"cost"`
	Phases         []MLPerfPhase `json:"phases"`
	Acts           []Act         `json:"acts,omitempty"`
	LagMS          float64       `json:"generator_lag_ms"`

	result         *load.Result
	ready, desired []plot.Point
}

type MLPerfPhase struct {
	Name      string  `json:"name"`
	StartS    float64 `json:"start_s"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"requests_per_second"`
	OverBound float64 `json:"over_bound"`
	P99       float64 `json:"p99_ms"`
	// RecoverS is the time from the beginning of the phase to the last query over the bound; 0
	// if there was none.
	RecoverS    float64 `json:"recover_s"`
	MaxReplicas int     `json:"max_replicas"`
}

func newMLPerfReport(o *Options) *MLPerfReport {
	return &MLPerfReport{Scenario: "mlperf", Seed: o.Seed, Speed: o.Speed, BoundMS: ms(mlperfBound)}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func newMLPerfRun(tb *testbed, scaler string, phases []load.Phase, r *load.Result) *MLPerfRun {
	all := load.Total(phases)
	run := &MLPerfRun{
		Scaler: scaler, Queries: r.Total.Count, Errors: r.Total.Errors, OverBound: shareOver(r, 0, all), P50: round(r.Total.P50), P99: round(r.Total.P99),
		Acts: tb.narrator.list(), LagMS: round(r.MaxLag), result: r, ready: tb.records.readyOf("classifier"), desired: tb.records.desiredOf("classifier"),
	}
	run.ReplicaSeconds, run.Turns = round(integrate(run.desired, 0, all)), countTurns(run.desired)
	var begin time.Duration
	for i, p := range phases {
		if i >= len(r.Phases) {
			break
		}
		end := begin + p.Duration
		_, _, _, most := replicasBetween(run.ready, begin, end)
		run.Phases = append(run.Phases, MLPerfPhase{
			Name: p.Name, StartS: begin.Seconds(), Seconds: p.Duration.Seconds(), Rate: round(r.Phases[i].OfferedRate), OverBound: shareOver(r, begin, end),
			P99: round(r.Phases[i].P99), RecoverS: recovery(r, begin, end), MaxReplicas: most,
		})
		begin = end
	}
	return run
}

// shareOver is the share of the queries due within an interval that were answered later than
// the bound, or failed; rounded to four digits.
func shareOver(r *load.Result, from, to time.Duration) float64 {
	over, all := r.Over(mlperfBound, from, to)
	if all == 0 {
		return 0
	}
	return math.Round(1e4*float64(over)/float64(all)) / 1e4
}

// recovery returns the time from the beginning of an interval to the last query over the bound,
// in seconds.
func recovery(r *load.Result, from, to time.Duration) float64 {
	const step = time.Second
	for at := to - step; at >= from; at -= step {
		if over, _ := r.Over(mlperfBound, at, at+step); over > 0 {
			return (at + step - from).Seconds()
		}
	}
	return 0
}

// judge compares the agent's results with the objective. The other scaler has no objective.
func (r *MLPerfReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	for _, run := range r.Runs {
		if run.Scaler != scaledByAgent {
			continue
		}
		for _, p := range run.Phases {
			if p.Name == "step" && p.RecoverS > p.Seconds/2 {
				miss("%s: a query was over the bound %.0f s after the load rose, and half of the phase, %.0f s, is what it may take", p.Name, p.RecoverS, p.Seconds/2)
			}
		}
		if first, last := run.Phases[0].MaxReplicas, run.Phases[len(run.Phases)-1]; len(run.ready) == 0 || int(run.ready[len(run.ready)-1].Value) > first+1 {
			miss("not scaled down in phase %s: %d replicas at its end, and there were %d before the load rose", last.Name, int(run.ready[len(run.ready)-1].Value), first)
		}
	}
	r.Held = len(r.Missed) == 0
}

func (r *MLPerfReport) text(o *Options, s *screen) string {
	var b strings.Builder
	table := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true, true},
		Header: []string{"scaled by", "queries", "errors", "over the bound", "p50 ms", "p99 ms", "replica-seconds", "direction changes"}}
	for _, run := range r.Runs {
		table.Rows = append(table.Rows, []string{run.name(), fmt.Sprint(run.Queries), fmt.Sprint(run.Errors), percent(run.OverBound), fmt.Sprintf("%.0f", run.P50),
			fmt.Sprintf("%.0f", run.P99), fmt.Sprintf("%.0f", run.ReplicaSeconds), fmt.Sprint(run.Turns)})
	}
	b.WriteString(table.String() + "\n")
	parts := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true},
		Header: []string{"phase", "req/s", "over: scanflow", "hpa", "s to recover: scanflow", "hpa", "most replicas: scanflow / hpa"}}
	if len(r.Runs) == 2 {
		for i, p := range r.Runs[0].Phases {
			q := r.Runs[1].Phases[i]
			parts.Rows = append(parts.Rows, []string{p.Name, fmt.Sprintf("%.1f", p.Rate), percent(p.OverBound), percent(q.OverBound), fmt.Sprintf("%.0f", p.RecoverS), fmt.Sprintf("%.0f", q.RecoverS), fmt.Sprintf("%d / %d", p.MaxReplicas, q.MaxReplicas)})
		}
		b.WriteString(parts.String() + "\n")
	}
	b.WriteString(r.chart(o, s).String())
	fmt.Fprintf(&b, "\nThe bound is %.0f ms. The load generator, Prometheus, the router and the agent share the cores with the replicas. %s\n", r.BoundMS, r.describeOtherScaler())
	if len(r.Runs) == 2 {
		fmt.Fprintf(&b, "\nProcessor time: the replicas %.0f and %.0f s; this process, with the generator, Prometheus and the router, %.0f s with the agent\nand %.0f s without.\n",
			r.Runs[0].Cost.Workload, r.Runs[1].Cost.Workload, r.Runs[0].Cost.Demo, r.Runs[1].Cost.Demo)
	}
	if r.Held {
		fmt.Fprintf(&b, "\n%s the bound was met again after each rise, with %d direction change(s).\n", s.good("It held:"), r.Runs[0].Turns)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func (m *MLPerfRun) name() string {
	switch m.Scaler {
	case scaledByHPA:
		return "HPA's formula"
	case scaledByController:
		return "HPA (the controller)"
	case scaledByBoth:
		return "HPA, its bounds by scanflow"
	}
	return m.Scaler
}

// describeOtherScaler explains hpa in the tables.
func (r *MLPerfReport) describeOtherScaler() string {
	hpa := "hpa is the formula of a\nHorizontalPodAutoscaler that syncs every 15 s, with a stabilisation of 60 s on the way down (its default, 300 s, never comes down in this time)."
	for _, run := range r.Runs {
		if run.Scaler == scaledByController {
			hpa = strings.Replace(hpa, "formula of a\nHorizontalPodAutoscaler", "cluster's own controller of a\nHorizontalPodAutoscaler", 1)
			if r.Speed > 1 {
				hpa += fmt.Sprintf("\nThe controller syncs every 15 s at any speed, and everything else went %g times as fast: compare the two at speed 1 alone.", r.Speed)
			}
		}
	}
	return hpa
}

func percent(share float64) string { return fmt.Sprintf("%.2f%%", 100*share) }

func (r *MLPerfReport) chart(o *Options, s *screen) plot.Chart {
	rate := plot.Panel{Title: "load", Unit: "requests/s"}
	replicas := plot.Panel{Title: "replicas", Unit: "ready"}
	p99 := plot.Panel{Title: "latency, the slowest 1% of each 5 s", Unit: "ms", Objective: r.BoundMS, Top: 4 * r.BoundMS}
	c := plot.Chart{Width: min(plot.Width(o.Out), 110), Color: s.color}
	for i, run := range r.Runs {
		var offered, slow []plot.Point
		for _, p := range run.result.Series(o.scaled(5 * time.Second)) {
			offered = append(offered, plot.Point{At: p.At, Value: p.OfferedRate})
			slow = append(slow, p99Point(p))
		}
		if i == 0 {
			rate.Lines = []plot.Series{{Name: "offered", Points: offered}}
			for _, p := range run.Phases {
				c.Marks = append(c.Marks, plot.Mark{At: time.Duration(p.StartS * float64(time.Second)), Label: p.Name})
				c.Span = time.Duration((p.StartS + p.Seconds) * float64(time.Second))
			}
		}
		replicas.Lines = append(replicas.Lines, plot.Series{Name: run.name(), Points: run.ready, Step: true})
		p99.Lines = append(p99.Lines, plot.Series{Name: run.name(), Points: slow})
	}
	c.Panels = []plot.Panel{rate, replicas, p99}
	return c
}
