package demo

import (
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// chartStep is the interval of a point in the chart.
const chartStep = 2 * time.Second

// chart has everything on one time axis.
func (r *DayReport) chart(d *day) plot.Chart {
	var rate, p99 []plot.Point
	for _, p := range d.result.Series(chartStep) {
		rate = append(rate, plot.Point{At: p.At, Value: p.OfferedRate})
		p99 = append(p99, p99Point(p))
	}
	end := load.Total(d.plan)
	wrong := pointsUntil(d.live.list(), end) // errors show more than accuracies, which are 85 to 100
	for i := range wrong {
		wrong[i].Value = 100 - wrong[i].Value
	}
	c := plot.Chart{Width: min(plot.Width(d.o.Out), 110), Span: end, Color: d.screen.color, Panels: []plot.Panel{
		{Title: "load", Unit: "requests/s", Lines: []plot.Series{{Points: rate, Color: plot.Cyan}}},
		{Title: "replicas", Unit: "ready", Lines: []plot.Series{{Points: pointsUntil(d.records.readyOf(predictor.Name), end), Step: true, Color: plot.Green}}},
		{Title: "latency p99", Unit: "ms", Lines: []plot.Series{{Points: p99, Color: plot.Yellow}}, Objective: r.Objective.P99MS, Top: 2 * r.Objective.P99MS},
		{Title: "wrong of what was answered", Unit: "% of the last 3 s", Lines: []plot.Series{{Points: wrong, Color: plot.Red}}},
		{Title: "claims", Unit: "acts under way, waits", Lines: []plot.Series{
			{Name: "application layer: acts under way", Points: r.actsInProgress(d.began, end, application), Step: true, Color: plot.Magenta},
			{Name: "infrastructure layer: waits for them", Points: r.waitsInProgress(end), Step: true, Color: plot.Red},
		}},
	}}
	for _, p := range r.Phases {
		c.Marks = append(c.Marks, plot.Mark{At: time.Duration(p.StartS * float64(time.Second)), Label: p.Name})
	}
	mark := func(at float64, label string) {
		c.Marks = append(c.Marks, plot.Mark{At: time.Duration(at * float64(time.Second)), Label: label})
	}
	for _, drift := range r.Drifts {
		mark(drift.AtSeconds+0.001, "drift")
	}
	for _, round := range r.Rounds {
		mark(round.AtSeconds, "v"+round.Version)
	}
	if r.Kill.Pod != "" {
		mark(r.Kill.AtSeconds, "kill")
	}
	slices.SortStableFunc(c.Marks, func(a, b plot.Mark) int { return int(a.At - b.At) })
	return c
}

// pointsUntil drops the points after the load.
func pointsUntil(points []plot.Point, end time.Duration) []plot.Point {
	return slices.DeleteFunc(points, func(p plot.Point) bool { return p.At > end })
}

// actsInProgress counts a layer's acts in progress, at each change.
func (r *DayReport) actsInProgress(began time.Time, end time.Duration, layer string) []plot.Point {
	var spans [][2]time.Duration
	for _, a := range r.acts {
		if r.layers[a.Agent] == layer {
			spans = append(spans, [2]time.Duration{a.At.Sub(began), a.end.Sub(began)})
		}
	}
	return countConcurrent(spans, end)
}

// waitsInProgress counts the infrastructure layer's waits for the other layer, at each change.
// The end of a wait without admission is not known, so it is drawn up to its last refusal.
func (r *DayReport) waitsInProgress(end time.Duration) []plot.Point {
	var spans [][2]time.Duration
	for i := range r.Waits {
		w := &r.Waits[i]
		if r.layers[w.Agent] != infrastructure || !w.acrossLayers(r.layers) {
			continue
		}
		last := w.For[len(w.For)-1].AtSeconds + 1
		if w.Seconds != nil {
			last = w.AtSeconds + *w.Seconds
		}
		spans = append(spans, [2]time.Duration{time.Duration(w.AtSeconds * float64(time.Second)), time.Duration(last * float64(time.Second))})
	}
	return countConcurrent(spans, end)
}

// countConcurrent counts the overlapping spans, at each change up to the end.
func countConcurrent(spans [][2]time.Duration, end time.Duration) []plot.Point {
	type change struct {
		at time.Duration
		by float64
	}
	var changes []change
	for _, s := range spans {
		changes = append(changes, change{max(0, s[0]), 1}, change{max(0, s[1]), -1})
	}
	slices.SortStableFunc(changes, func(a, b change) int { return int(a.at - b.at) })
	out, n := []plot.Point{{}}, 0.0
	for _, c := range changes {
		if c.at > end {
			break
		}
		n += c.by
		out = append(out, plot.Point{At: c.at, Value: n})
	}
	return out
}
