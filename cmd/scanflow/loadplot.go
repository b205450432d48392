package main

import (
	"math"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/mlperf"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// maxChartSteps bounds the number of steps on the time axis of a chart.
const maxChartSteps = 300

// chartStep returns the length of a step: a second, or more for a long run.
func chartStep(r *load.Result) time.Duration {
	step := time.Second
	for step < r.Resolution() || r.End/step > maxChartSteps {
		step *= 2
	}
	return step
}

// loadChart draws a run over time: offered and answered queries, latencies with their
// bound, and errors. The latencies of a step are of the queries that were due in it.
func loadChart(r *load.Result, params mlperf.Params, phases []load.Phase) plot.Chart {
	step := chartStep(r)
	var target, offered, answered, p50, p99, failed []plot.Point
	add := func(to *[]plot.Point, at time.Duration, v float64) {
		*to = append(*to, plot.Point{At: at, Value: v})
	}
	for _, p := range r.Series(step) {
		if params.Scenario == load.Server {
			add(&target, p.At, p.TargetRate)
		}
		add(&offered, p.At, p.OfferedRate)
		add(&answered, p.At, p.Answered)
		add(&failed, p.At, p.Failed)
		if p.Count == p.Errors {
			p.P50, p.P99 = math.NaN(), math.NaN()
		}
		add(&p50, p.At, p.P50)
		add(&p99, p.At, p.P99)
	}
	for _, p := range r.Tail(step) {
		add(&offered, p.At, 0)
		add(&answered, p.At, p.Answered)
		add(&failed, p.At, p.Failed)
	}
	latency := plot.Panel{Title: "latency", Unit: "ms", Height: 8, Lines: []plot.Series{{Name: "p50", Points: p50, Color: plot.Cyan}, {Name: "p99", Points: p99, Color: plot.Magenta}}}
	if params.Bound > 0 {
		latency.Objective = float64(params.Bound) / float64(time.Millisecond)
		if top := 4 * latency.Objective; maxValue(p99) > top {
			latency.Top = top
		}
	}
	rates := plot.Panel{Title: "queries", Unit: "1/s", Height: 7}
	if len(target) > 0 {
		rates.Lines = append(rates.Lines, plot.Series{Name: "target", Points: target, Color: plot.Grey, Step: true})
	}
	errorsPanel := plot.Panel{Title: "errors", Unit: "1/s", Height: 3, Lines: []plot.Series{{Points: failed, Color: plot.Red, Step: true}}}
	c := plot.Chart{Span: r.Elapsed}
	if params.Scenario == load.Offline { // all queries are due at the beginning
		rates.Title = "samples"
		rates.Lines = []plot.Series{{Points: answered, Color: plot.Cyan}}
		c.Panels = []plot.Panel{rates, errorsPanel}
		return c
	}
	rates.Lines = append(rates.Lines, plot.Series{Name: "offered", Points: offered, Color: plot.Cyan}, plot.Series{Name: "answered", Points: answered, Color: plot.Yellow})
	c.Panels = []plot.Panel{rates, latency, errorsPanel}
	if len(phases) > 1 {
		at := time.Duration(0)
		for _, p := range phases {
			if at < r.Elapsed {
				c.Marks = append(c.Marks, plot.Mark{At: at, Label: p.Name})
			}
			at += p.Duration
		}
	}
	return c
}

func maxValue(points []plot.Point) float64 {
	most := 0.0
	for _, p := range points {
		if p.Value > most { // false for NaN
			most = p.Value
		}
	}
	return most
}
