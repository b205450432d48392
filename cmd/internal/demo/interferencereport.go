package demo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// InterferenceReport is the result of the run. Its JSON is the last line of `scanflow demo
// interference --json`. Times are in seconds since a half's load began.
type InterferenceReport struct {
	Scenario  string              `json:"scenario"`
	Seed      uint64              `json:"seed"`
	Speed     float64             `json:"speed"`
	BoundMS   float64             `json:"bound_ms"`
	IntervalS float64             `json:"interval_s"`
	Halves    []*InterferenceHalf `json:"halves"`
	Held      bool                `json:"held"`
	Missed    []string            `json:"missed,omitempty"`
}

type InterferenceHalf struct {
	Half string `json:"half"`
	// QuietP99 is before the batch work, SharedP99 while it was on the same node, and ApartP99
	// while it was on another: from three intervals after the decision to move it, or from its
	// submission if it never was on the same node. Each is null if that was never the case.
	QuietP99  *float64 `json:"quiet_p99_ms"`
	SharedP99 *float64 `json:"shared_p99_ms"`
	ApartP99  *float64 `json:"apart_p99_ms"`
	// SubmitS is the time at which the batch work was submitted; SharedS and ApartS are the times
	// at which it came to the online service's node and to another one; 0 for never.
	SubmitS float64 `json:"submit_s"`
	SharedS float64 `json:"shared_s"`
	ApartS  float64 `json:"apart_s"`
	// BrokeS is the beginning of the first interferenceWindow with a p99 over the bound, and
	// BackS the end of the first one after the decision with a p99 within it.
	BrokeS float64 `json:"broke_s"`
	BackS  float64 `json:"back_s"`
	// Intervals is the number of the agent's intervals between the decision to move and BackS.
	Intervals float64 `json:"intervals"`
	DecidedS  float64 `json:"decided_s"`
	OverBound float64 `json:"over_bound"`
	Queries   int     `json:"queries"`
	Errors    int     `json:"errors"`
	Acts      []Act   `json:"acts"`

	result *load.Result
	plan   interferencePlan
}

const (
	// interferenceWindow is the span of a p99, about fifty queries.
	interferenceWindow = 5 * time.Second
	// backIntervals is within how many intervals of the decision the p99 must be back.
	backIntervals = 3
)

func newInterferenceReport(o *Options) *InterferenceReport {
	return &InterferenceReport{Scenario: "interference", Seed: o.Seed, Speed: o.Speed, BoundMS: ms(interferenceBound), IntervalS: o.scaled(interferenceInterval).Seconds()}
}

func newInterferenceHalf(o *Options, tb *testbed, half string, plan interferencePlan, batch *batchPlacement, result *load.Result) *InterferenceHalf {
	h := &InterferenceHalf{
		Half: half, SubmitS: plan.submit.Seconds(), Queries: result.Total.Count, Errors: result.Total.Errors, Acts: tb.narrator.list(), result: result, plan: plan,
	}
	over, all := result.Over(interferenceBound, 0, plan.end)
	if all > 0 {
		h.OverBound = math.Round(1e4*float64(over)/float64(all)) / 1e4
	}
	for _, n := range batch.nodes {
		switch {
		case n.node == "":
		case n.shared && h.SharedS == 0:
			h.SharedS = seconds(n.at)
		case !n.shared && h.ApartS == 0:
			h.ApartS = seconds(n.at)
		}
	}
	for _, a := range h.Acts {
		if a.Primitive == "place" && a.AtSeconds >= h.SubmitS && h.DecidedS == 0 {
			h.DecidedS = a.AtSeconds
		}
	}
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for begin := plan.submit; begin+interferenceWindow <= plan.end; begin += interferenceWindow / 5 {
		p99 := settledP99(result.Between(begin, begin+interferenceWindow))
		switch {
		case p99 == nil:
		case *p99 > ms(interferenceBound) && h.BrokeS == 0:
			h.BrokeS = begin.Seconds()
		case *p99 <= ms(interferenceBound) && h.DecidedS > 0 && begin >= at(h.DecidedS) && h.BackS == 0:
			h.BackS = (begin + interferenceWindow).Seconds()
		}
	}
	interval := o.scaled(interferenceInterval)
	if h.DecidedS > 0 && h.BackS > 0 {
		h.Intervals = round((h.BackS - h.DecidedS) / interval.Seconds())
	}
	h.QuietP99 = settledP99(result.Between(0, plan.submit))
	if h.SharedS > 0 {
		end := plan.end
		if h.ApartS > h.SharedS {
			end = at(h.ApartS)
		}
		h.SharedP99 = settledP99(result.Between(at(h.SharedS), end))
	}
	if h.ApartS > 0 {
		from := plan.submit
		if h.DecidedS > 0 {
			from = at(h.DecidedS) + backIntervals*interval
		}
		h.ApartP99 = settledP99(result.Between(from, plan.end))
	}
	return h
}

func (r *InterferenceReport) judge() {
	for _, h := range r.Halves {
		miss := func(format string, args ...any) {
			r.Missed = append(r.Missed, "half "+h.Half+": "+fmt.Sprintf(format, args...))
		}
		if h.QuietP99 == nil || *h.QuietP99 > r.BoundMS {
			miss("p99 before the batch work: %s ms, and %.0f is the bound", orDash(h.QuietP99), r.BoundMS)
		}
		if h.ApartP99 == nil || *h.ApartP99 > r.BoundMS {
			miss("p99 with the batch work elsewhere: %s ms, and %.0f is the bound", orDash(h.ApartP99), r.BoundMS)
		}
		switch h.Half {
		case halfMoved:
			switch {
			case h.SharedS == 0:
				miss("the batch work did not come to the online service's node")
			case h.SharedP99 == nil || *h.SharedP99 <= r.BoundMS:
				miss("p99 did not break while the batch work shared the node: %s ms; are the nodes different cores?", orDash(h.SharedP99))
			case h.DecidedS == 0:
				miss("the agent did not move the batch work")
			case h.BackS == 0:
				miss("p99 did not come back after the decision")
			case h.Intervals > backIntervals:
				miss("p99 was back %.1f intervals after the decision, and %d are allowed", h.Intervals, backIntervals)
			}
		case halfApart:
			if h.SharedS > 0 {
				miss("the batch work came to the online service's node %.1f s into it", h.SharedS)
			}
		}
	}
	r.Held = len(r.Missed) == 0
}

func (r *InterferenceReport) text(o *Options, s *screen) string {
	var b strings.Builder
	table := plot.Table{Color: s.color, Right: []bool{false, true, true, true, true, true, true, true},
		Header: []string{"half", "p99 quiet", "sharing the node", "apart", "submitted at", "decided at", "p99 back at", "over the bound"}}
	for _, h := range r.Halves {
		table.Rows = append(table.Rows, []string{h.Half, orDash(h.QuietP99), orDash(h.SharedP99), orDash(h.ApartP99), fmt.Sprintf("%.0f s", h.SubmitS),
			timeOrDash(h.DecidedS), timeOrDash(h.BackS), percent(h.OverBound)})
	}
	b.WriteString(table.String() + "\n")
	b.WriteString(r.chart(o, s).String())
	fmt.Fprintf(&b, "\nThe bound is %.0f ms. Each node is one core of this machine; the load generator, Prometheus and the agent use the same cores.\n", r.BoundMS)
	if r.Held {
		fmt.Fprintf(&b, "\n%s p99 broke while the batch work shared the node, and was back %.1f intervals after the decision to move it; placed apart from the\nstart it never shared a node.\n", s.good("It held:"), r.Halves[0].Intervals)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func timeOrDash(s float64) string {
	if s == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f s", s)
}

func (r *InterferenceReport) chart(o *Options, s *screen) plot.Chart {
	c := plot.Chart{Width: min(plot.Width(o.Out), 110), Color: s.color}
	names := map[string]string{halfMoved: "moved when it hurts", halfApart: "apart from the start"}
	p99 := plot.Panel{Title: "latency p99 of the online service", Unit: "ms, of each 2 s", Objective: r.BoundMS, Top: 5 * r.BoundMS, Height: 9}
	for _, h := range r.Halves {
		var line []plot.Point
		for _, p := range h.result.Series(o.scaled(2 * time.Second)) {
			line = append(line, p99Point(p))
		}
		p99.Lines = append(p99.Lines, plot.Series{Name: names[h.Half], Points: line})
		c.Span = h.plan.end
	}
	c.Panels = []plot.Panel{p99}
	if len(r.Halves) > 0 {
		at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
		h := r.Halves[0]
		c.Marks = append(c.Marks, plot.Mark{At: at(h.SubmitS), Label: "batch work"})
		if h.DecidedS > 0 {
			c.Marks = append(c.Marks, plot.Mark{At: at(h.DecidedS), Label: "moved"})
		}
	}
	return c
}
