package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// FailoverReport is the result of the run. Its JSON is the last line of `scanflow demo
// failover --json`. Times are in seconds since the load began.
type FailoverReport struct {
	Scenario  string  `json:"scenario"`
	Seed      uint64  `json:"seed"`
	Speed     float64 `json:"speed"`
	IntervalS float64 `json:"interval_s"`
	Queries   int     `json:"queries"`
	Errors    int     `json:"errors"`
	// OutageS is the time at which the primary was killed, LostS at which none of its replicas
	// was ready, DecidedS at which the agent decided, and OnBackupS at which the route sent all
	// traffic to the backup.
	OutageS   float64 `json:"outage_s"`
	LostS     float64 `json:"lost_s"`
	DecidedS  float64 `json:"decided_s"`
	OnBackupS float64 `json:"on_backup_s"`
	// Intervals is the number of intervals between LostS and OnBackupS.
	Intervals float64 `json:"intervals"`
	// ErrorsBefore are the queries lost from the outage until all traffic went to the backup,
	// ErrorsAfter those after that until the traffic began to go back, and ErrorsBack those
	// while it went back.
	ErrorsBefore int `json:"errors_before_shift"`
	ErrorsAfter  int `json:"errors_after_shift"`
	ErrorsBack   int `json:"errors_on_the_way_back"`
	// BackupReplicas is the number of ready replicas of the backup when it got all traffic,
	// and BackupReplicasMax the maximum.
	BackupReplicas    int `json:"backup_ready_at_shift"`
	BackupReplicasMax int `json:"backup_ready_max"`
	// ReturnS is the time at which the traffic began to go back, ReturnedS at which the primary
	// had all of it.
	ReturnS   float64 `json:"return_s"`
	ReturnedS float64 `json:"returned_s"`
	// FlapShifts counts the acts on the route while the primary flapped, and FlapLosses how
	// often it was lost in that time.
	FlapShifts int      `json:"shifts_while_flapping"`
	FlapLosses int      `json:"losses_while_flapping"`
	FlapBack   int      `json:"shifts_back_while_flapping"`
	Acts       []Act    `json:"acts"`
	Held       bool     `json:"held"`
	Missed     []string `json:"missed,omitempty"`

	result  *load.Result
	plan    failoverPlan
	ready   map[string][]plot.Point
	traffic map[string][]plot.Point
}

func newFailoverReport(ctx context.Context, o *Options, tb *testbed, plan failoverPlan, result *load.Result) (*FailoverReport, error) {
	r := &FailoverReport{
		Scenario: "failover", Seed: o.Seed, Speed: o.Speed, IntervalS: o.scaled(failoverInterval).Seconds(), Queries: result.Total.Count, Errors: result.Total.Errors,
		OutageS: plan.outage.Seconds(), Acts: tb.narrator.list(), result: result, plan: plan, ready: map[string][]plot.Point{}, traffic: map[string][]plot.Point{},
	}
	for _, name := range tb.study.services {
		r.ready[name] = tb.records.readyOf(name)
		var err error
		if r.traffic[name], err = tb.responseRate(ctx, name, plan.end); err != nil {
			return nil, err
		}
	}
	r.measure()
	r.judge()
	return r, nil
}

// backupShare is the share of the requests, in percent, that an act on the route sends to the
// backup; false for another act.
func backupShare(a Act) (float64, bool) {
	weights, is := a.With["weights"].(map[string]any)
	if !is || a.Primitive != "traffic" || a.Outcome != "done" {
		return 0, false
	}
	switch share := weights["backup"].(type) {
	case float64:
		return share, true
	case int:
		return float64(share), true
	}
	return 0, false
}

func (r *FailoverReport) measure() {
	duration := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for _, p := range r.ready["primary"] {
		if p.At >= r.plan.outage && p.Value == 0 {
			r.LostS = p.At.Seconds()
			break
		}
	}
	for _, a := range r.Acts {
		share, is := backupShare(a)
		if !is {
			continue
		}
		flapping := a.AtSeconds >= r.plan.flap.Seconds() && a.AtSeconds < r.plan.calm.Seconds()
		switch {
		case flapping:
			r.FlapShifts++
			if share < 100 {
				r.FlapBack++
			}
		case share == 100 && r.OnBackupS == 0 && a.AtSeconds >= r.OutageS:
			r.DecidedS, r.OnBackupS = a.AtSeconds, a.EndedSeconds
		case share < 100 && r.OnBackupS > 0 && r.ReturnS == 0:
			r.ReturnS = a.AtSeconds
		}
		if share == 0 && r.ReturnS > 0 && r.ReturnedS == 0 {
			r.ReturnedS = a.EndedSeconds
		}
	}
	for i, p := range r.ready["primary"] {
		if p.At >= r.plan.flap && p.At < r.plan.calm+r.plan.down && p.Value == 0 && i > 0 {
			r.FlapLosses++
		}
	}
	if r.OnBackupS > 0 {
		r.Intervals = round(max(0, r.OnBackupS-r.LostS) / r.IntervalS)
		r.BackupReplicas = valueAt(r.ready["backup"], duration(r.OnBackupS))
		r.ErrorsBefore = r.result.Between(r.plan.outage, duration(r.OnBackupS)).Errors
		until := r.plan.flap
		if r.ReturnS > 0 {
			until = duration(r.ReturnS)
		}
		r.ErrorsAfter = r.result.Between(duration(r.OnBackupS), until).Errors
	}
	if r.ReturnS > 0 {
		// Until shortly before the next kill, which loses the requests in flight.
		r.ErrorsBack = r.result.Between(duration(r.ReturnS), r.plan.flap-2*time.Second).Errors
	}
	for _, p := range r.ready["backup"] {
		r.BackupReplicasMax = max(r.BackupReplicasMax, int(p.Value))
	}
}

func (r *FailoverReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	switch {
	case r.LostS == 0:
		miss("the primary was never without a ready replica")
	case r.OnBackupS == 0:
		miss("the traffic did not go to the backup")
	case r.Intervals > 2:
		miss("all traffic was on the backup %.1f intervals after the loss, and 2 are allowed", r.Intervals)
	}
	if r.ErrorsAfter > 0 {
		miss("%d queries were lost after the traffic had gone to the backup", r.ErrorsAfter)
	}
	switch {
	case r.ReturnedS == 0:
		miss("the traffic did not go back to the primary")
	case r.ErrorsBack > 0:
		miss("%d queries were lost while the traffic went back", r.ErrorsBack)
	}
	if r.FlapBack > 0 {
		miss("the traffic went back %d times to a primary that flapped", r.FlapBack)
	}
	if r.FlapLosses < 2 {
		miss("the primary was lost %d times while it flapped: nothing is known of flapping", r.FlapLosses)
	}
	r.Held = len(r.Missed) == 0
}

func (r *FailoverReport) text(o *Options, s *screen) string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-30s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("primary killed", "%.1f s", r.OutageS)
	row("no replica ready", "%.1f s", r.LostS)
	row("everything goes to the backup", "%.1f s: %.1f intervals of %g s after that; %d of its replicas ready", r.OnBackupS, r.Intervals, r.IntervalS, r.BackupReplicas)
	row("backup's largest size", "%d ready", r.BackupReplicasMax)
	row("traffic goes back", "%.1f s to %.1f s", r.ReturnS, r.ReturnedS)
	row("queries lost", "%d of %d: %d before the shift, %d after it, %d on the way back", r.Errors, r.Queries, r.ErrorsBefore, r.ErrorsAfter, r.ErrorsBack)
	row("while the primary flapped", "it was lost %d times; the route was changed %d times, %d of them back", r.FlapLosses, r.FlapShifts, r.FlapBack)
	b.WriteString("\n" + r.chart(o, s).String())
	if r.Held {
		fmt.Fprintf(&b, "\n%s all traffic was on the backup %.1f intervals after the loss, no query was lost after that, and none on the way back.\n", s.good("It held:"), r.Intervals)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func (r *FailoverReport) chart(o *Options, s *screen) plot.Chart {
	var failed, p99 []plot.Point
	for _, p := range r.result.Series(o.scaled(2 * time.Second)) {
		failed = append(failed, plot.Point{At: p.At, Value: float64(p.Errors)})
		p99 = append(p99, p99Point(p))
	}
	lines := func(of map[string][]plot.Point, step bool) []plot.Series {
		return []plot.Series{{Name: "primary", Points: of["primary"], Step: step}, {Name: "backup", Points: of["backup"], Step: step}}
	}
	return plot.Chart{Width: min(plot.Width(o.Out), 110), Span: r.plan.end, Color: s.color, Panels: []plot.Panel{
		{Title: "replicas", Unit: "ready", Lines: lines(r.ready, true)},
		{Title: "answers", Unit: "requests/s", Lines: lines(r.traffic, false)},
		{Title: "latency p99", Unit: "ms", Lines: []plot.Series{{Points: p99}}},
		{Title: "queries lost", Unit: "in 2 s", Lines: []plot.Series{{Points: failed, Step: true}}},
	}, Marks: []plot.Mark{{At: r.plan.outage, Label: "killed"}, {At: r.plan.back, Label: "up"}, {At: r.plan.flap, Label: "flaps"}, {At: r.plan.calm, Label: "calm"}}}
}
