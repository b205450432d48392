package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// The field managers of the two fields: the controller, with the subresource scale, and the
// verb autoscaler.
const (
	controllerManager = "kube-controller-manager/scale"
	boundsManager     = "scanflow-autoscaler"
)

// ReserveReport is the result of the run. Its JSON is the last line of `scanflow demo reserve
// --kubernetes --json`.
type ReserveReport struct {
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	BoundMS  float64 `json:"bound_ms"`
	// Capacity is the measured capacity of one replica, in requests per second.
	Capacity float64       `json:"capacity_requests_per_second"`
	Runs     []*ReserveRun `json:"runs"`
	Held     bool          `json:"held"`
	Missed   []string      `json:"missed,omitempty"`
}

// ReserveRun is the load with the autoscaler, alone or with the agent.
type ReserveRun struct {
	*MLPerfRun
	// ReadyAtRise is the number of ready replicas when the load rose.
	ReadyAtRise int `json:"ready_at_rise"`
	// Bounds are the acts on the autoscaler's bounds, from the journal.
	Bounds []BoundsAct `json:"bounds"`
	// MinReplicas and Replicas are the writes of the autoscaler's minReplicas and the
	// Deployment's spec.replicas, from the cluster.
	MinReplicas []FieldWrite `json:"min_replicas"`
	Replicas    []FieldWrite `json:"spec_replicas"`
}

type BoundsAct struct {
	AtSeconds float64 `json:"at_s"`
	// EndedSeconds is the time of its verification; null if it was not verified.
	EndedSeconds *float64 `json:"ended_s"`
	Agent        string   `json:"agent"`
	Min          int      `json:"min"`
	Max          int      `json:"max"`
	Reason       string   `json:"reason"`
	Change       string   `json:"change"`
	Outcome      string   `json:"outcome"`
	Decision     string   `json:"decision"`
}

func newReserveReport(o *Options, each float64) *ReserveReport {
	return &ReserveReport{Scenario: "reserve", Seed: o.Seed, BoundMS: ms(mlperfBound), Capacity: round(each)}
}

// newRun returns the results of a run whose load has ended.
func (r *reserveBed) newRun(ctx context.Context, scaler string, phases []load.Phase, result *load.Result) (*ReserveRun, error) {
	out := &ReserveRun{MLPerfRun: newMLPerfRun(r.tb, scaler, phases, result)}
	out.ReadyAtRise = valueAt(out.ready, phases[0].Duration)
	var err error
	out.Bounds, err = r.bounds(ctx)
	began := r.tb.screen.startTime()
	out.MinReplicas, out.Replicas = r.minReplicas.list(began), r.replicas.list(began)
	return out, err
}

// bounds returns the acts of the verb autoscaler so far, oldest first.
func (r *reserveBed) bounds(ctx context.Context) ([]BoundsAct, error) {
	rows, err := admittedDecisions(ctx, r.cluster.sys.Journal)
	if err != nil {
		return nil, err
	}
	began, out := r.tb.screen.startTime(), []BoundsAct{}
	for _, row := range rows {
		if row.Primitive == "autoscaler" && row.Outcome != nil {
			out = append(out, boundsAct(row, began))
		}
	}
	return out, nil
}

func boundsAct(row journal.Row, began time.Time) BoundsAct {
	a := BoundsAct{
		AtSeconds: seconds(row.At.Sub(began)), Agent: row.Agent, Min: integer(row.With["min"]), Max: integer(row.With["max"]),
		Reason: row.Reason, Change: row.Diff, Outcome: string(row.Outcome.Status), Decision: row.ID,
	}
	if row.EndedAt != nil && row.Outcome.Status == engine.Done {
		ended := seconds(row.EndedAt.Sub(began))
		a.EndedSeconds = &ended
	}
	return a
}

func (r *ReserveReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	alone, reserved := r.Runs[0], r.Runs[1]
	if reserved.OverBound >= alone.OverBound {
		miss("%s of the requests were over the bound with the agent, and %s without: fewer are wanted", percent(reserved.OverBound), percent(alone.OverBound))
	}
	rise := time.Duration(reserved.Phases[1].StartS * float64(time.Second))
	fall := time.Duration(reserved.Phases[2].StartS * float64(time.Second))
	for _, m := range reserved.missedBounds(rise, fall) {
		miss("%s", m)
	}
	if len(alone.Bounds) > 0 {
		miss("the bounds were written in the run of the autoscaler alone")
	}
	for _, run := range r.Runs {
		if w := fieldManagers(run.Replicas); !slices.Equal(w, []string{controllerManager, startManager}) {
			miss("%s: spec.replicas was written by %q; after %s, who writes the first, %s alone should", run.name(), w, startManager, controllerManager)
		}
	}
	r.Held = len(r.Missed) == 0
}

// missedBounds describes when the bounds were not written as expected, or by another manager.
func (r *ReserveRun) missedBounds(rise, fall time.Duration) (missed []string) {
	when := func(least int, wanted string, is func(BoundsAct) bool) {
		if !slices.ContainsFunc(r.Bounds, func(a BoundsAct) bool { return a.Min == least && a.EndedSeconds != nil && is(a) }) {
			missed = append(missed, fmt.Sprintf("the journal has no act that %s", wanted))
		}
	}
	when(reservedReplicas, "raised min before the rise", func(a BoundsAct) bool { return *a.EndedSeconds <= rise.Seconds() })
	when(baseReplicas, "took min back after it", func(a BoundsAct) bool { return a.AtSeconds >= fall.Seconds() })
	if n := len(r.MinReplicas); n == 0 || r.MinReplicas[n-1].Value != baseReplicas || !slices.Equal(r.MinReplicas[n-1].By, []string{boundsManager}) {
		missed = append(missed, fmt.Sprintf("minReplicas is not %d at the end, by %s", baseReplicas, boundsManager))
	}
	return missed
}

func (r *ReserveReport) text(o *Options, s *screen) string {
	var b strings.Builder
	table := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true, true},
		Header: []string{"scaled by", "queries", "errors", "over the bound", "p99 ms", "replica-seconds", "direction changes", "ready at the rise"}}
	parts := plot.Table{Color: s.color, Right: []bool{false, false, true, true, true, true, true},
		Header: []string{"phase", "scaled by", "req/s", "over the bound", "p99 ms", "s to recover", "most replicas"}}
	for _, run := range r.Runs {
		table.Rows = append(table.Rows, []string{run.name(), fmt.Sprint(run.Queries), fmt.Sprint(run.Errors), percent(run.OverBound), fmt.Sprintf("%.0f", run.P99),
			fmt.Sprintf("%.0f", run.ReplicaSeconds), fmt.Sprint(run.Turns), fmt.Sprint(run.ReadyAtRise)})
	}
	for i := range r.Runs[0].Phases {
		for _, run := range r.Runs {
			p := run.Phases[i]
			parts.Rows = append(parts.Rows, []string{p.Name, run.name(), fmt.Sprintf("%.1f", p.Rate), percent(p.OverBound), fmt.Sprintf("%.0f", p.P99), fmt.Sprintf("%.0f", p.RecoverS), fmt.Sprint(p.MaxReplicas)})
		}
	}
	b.WriteString(table.String() + "\n" + parts.String() + "\n" + r.chart(o, s).String())
	reserved := r.Runs[len(r.Runs)-1]
	fmt.Fprintf(&b, "\nWho wrote the autoscaler's bounds, from the journal:\n")
	for _, a := range reserved.Bounds {
		fmt.Fprintf(&b, "  %6.1f s  min %d, max %d  by %s (%s): %s\n", a.AtSeconds, a.Min, a.Max, a.Agent, a.Reason, a.Outcome)
	}
	fmt.Fprintf(&b, "and from the cluster (managedFields), minReplicas: %s\nspec.replicas: %s\n", writesLine(reserved.MinReplicas), writesLine(reserved.Replicas))
	fmt.Fprintf(&b, "\nThe bound is %.0f ms. The load generator, Prometheus, the gateway and the agent share the cores with the replicas. The autoscaler is the cluster's\nown controller, which syncs every 15 s, with a stabilisation of 60 s on the way down.\n", r.BoundMS)
	if r.Held {
		fmt.Fprintf(&b, "\n%s with the bounds raised ahead of the rise %s of the requests were over the bound, and %s without; the autoscaler alone wrote the replicas.\n",
			s.good("It held:"), percent(reserved.OverBound), percent(r.Runs[0].OverBound))
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func writesLine(writes []FieldWrite) string {
	var parts []string
	for _, w := range writes {
		by := "nobody, the default"
		if len(w.By) > 0 {
			by = strings.Join(w.By, ", ")
		}
		parts = append(parts, fmt.Sprintf("%d at %.1f s (%s)", w.Value, w.AtSeconds, by))
	}
	return strings.Join(parts, ", ")
}

// chart is the chart of mlperf with the autoscaler's minReplicas.
func (r *ReserveReport) chart(o *Options, s *screen) plot.Chart {
	same := MLPerfReport{BoundMS: r.BoundMS}
	for _, run := range r.Runs {
		same.Runs = append(same.Runs, run.MLPerfRun)
	}
	c := same.chart(o, s)
	low := plot.Panel{Title: "the autoscaler's minReplicas", Unit: "replicas"}
	for _, run := range r.Runs {
		var points []plot.Point
		for _, w := range run.MinReplicas {
			points = append(points, plot.Point{At: max(0, time.Duration(w.AtSeconds*float64(time.Second))), Value: float64(w.Value)})
		}
		low.Lines = append(low.Lines, plot.Series{Name: run.name(), Points: points, Step: true})
	}
	c.Panels = slices.Insert(c.Panels, 1, low)
	return c
}

// integer converts an integer of a document; 0 for anything else.
func integer(v any) int {
	n, _ := strconv.Atoi(fmt.Sprint(v))
	return n
}
