package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/mlperf"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// describeLoad describes in one line what will be sent.
func describeLoad(r *loadRun, url string) string {
	o := r.options
	text := fmt.Sprintf("%s: ", o.Scenario)
	switch {
	case r.capacity:
		text += fmt.Sprintf("search the capacity from %g queries/s in runs of %s", r.firstRate, r.probe)
	case o.Scenario == load.Offline:
		text += fmt.Sprintf("%d samples, %d at a time", o.Samples, o.Concurrency)
	case o.Scenario == load.Server && len(o.Phases) == 1 && o.Phases[0].Shape == load.Steady:
		text += fmt.Sprintf("%g queries/s for %s", o.Phases[0].Rate, o.Phases[0].Duration)
	case o.Scenario == load.Server:
		text += fmt.Sprintf("%d phase(s) in %s", len(o.Phases), roundDuration(load.Total(o.Phases)))
	case o.Scenario == load.MultiStream:
		text += fmt.Sprintf("queries of %d samples, one after the other, for %s", o.Samples, o.Duration)
	default:
		text += fmt.Sprintf("one query after the other for %s", o.Duration)
	}
	if o.Scenario == load.Server {
		text += fmt.Sprintf(", seed %d", o.Seed)
	}
	if o.Bound > 0 {
		text += fmt.Sprintf(", bound %s", o.Bound)
	}
	return text + ", to " + plot.Line(url)
}

// roundDuration rounds to milliseconds.
func roundDuration(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// text formats the report as text.
func (r *loadRun) text(report *mlperf.Report) string {
	var b strings.Builder
	if phases := r.lastResult.Phases; len(phases) > 1 {
		table := plot.Table{Right: []bool{false, true, true, true, true, true, true, true},
			Header: []string{"phase", "target/s", "offered/s", "p50 ms", "p90 ms", "p99 ms", "queries", "errors"}}
		for _, p := range phases {
			table.Rows = append(table.Rows, []string{p.Name, formatFloat(p.TargetRate), formatFloat(p.OfferedRate), formatFloat(p.P50), formatFloat(p.P90), formatFloat(p.P99), fmt.Sprint(p.Count), fmt.Sprint(p.Errors)})
		}
		b.WriteString(table.String() + "\n")
	}
	queries := fmt.Sprintf("%d", report.Queries)
	if report.Samples != report.Queries {
		queries += fmt.Sprintf(" (%d samples)", report.Samples)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("queries", "%s in %s; %s offered and %s answered a second", queries, roundDuration(time.Duration(report.Seconds*float64(time.Second))), formatFloat(report.Scheduled), formatFloat(report.Answered))
	line("errors", "%s", errorsText(report))
	if report.NoReply != "" {
		line("no_reply", "the first: %s", plot.Line(report.NoReply))
	}
	if report.Samples == 0 {
		line("latency", "unknown: no query was sent")
	} else {
		line("latency", "p50 %s, p90 %s, p99 %s", milliseconds(report.LatencyMS.P50), milliseconds(report.LatencyMS.P90), milliseconds(report.LatencyMS.P99))
	}
	if report.BoundMet != nil {
		line("bound", "%s: %s", milliseconds(report.BoundMS), map[bool]string{true: "met", false: "missed"}[*report.BoundMet])
	}
	line("metric", "%s %s", report.Metric.Name, floatOrUnknown(report.Metric.Value))
	if report.FellBehindMS != nil {
		line("late", "the generator fell behind by %.0f ms: it, or this machine, is too slow for this load, and the latencies are in part its own", *report.FellBehindMS)
	}
	if report.Valid {
		line("valid", "yes, by MLPerf inference's rules")
	} else {
		line("valid", "no: %s", strings.Join(report.NotValid, "; "))
	}
	return b.String()
}

func errorsText(report *mlperf.Report) string {
	if report.Errors == 0 {
		return "none"
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(report.ErrorsByCode)) {
		parts = append(parts, fmt.Sprintf("%s: %d", code, report.ErrorsByCode[code]))
	}
	return fmt.Sprintf("%d (%s)", report.Errors, strings.Join(parts, ", "))
}

// formatFloat formats three significant digits, or all digits before the point.
func formatFloat(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func milliseconds(v *float64) string {
	if v == nil {
		return "never (too many were not answered)"
	}
	return formatFloat(*v) + " ms"
}

func floatOrUnknown(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return formatFloat(*v)
}

func probeText(n int, p mlperf.Probe) string {
	verdict := "held"
	if p.Confirms {
		verdict = "held again"
	}
	if !p.Held {
		verdict = "did not hold: " + p.Because
	}
	return fmt.Sprintf("%2d  %8s queries/s  p99 %s  %s", n, formatFloat(p.Rate), milliseconds(p.P99MS), verdict)
}

func capacityText(c *loadCapacity, interrupted bool) string {
	if c.Rate != nil {
		return fmt.Sprintf("capacity: %s queries/s; the last run:", formatFloat(*c.Rate))
	}
	if interrupted {
		return "capacity: unknown, the search was interrupted; the last run:"
	}
	return "capacity: no rate held; the last run:"
}

// Intervals of progress: on a terminal one line is redrawn, and otherwise new lines are written.
const (
	redrawEvery = time.Second / 2
	lineEvery   = 10 * time.Second
)

// showProgress writes lines of progress until stop is called. stop waits for the last line.
func showProgress(w io.Writer, g *load.Generator, span time.Duration) (stop func()) {
	terminal, width := plot.Terminal(w)
	every := lineEvery
	if terminal {
		every = redrawEvery
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				if terminal {
					_, _ = io.WriteString(w, "\r\x1b[K")
				}
				return
			case <-ticker.C:
				text := progressText(g.Stats(lineEvery), span)
				if terminal {
					text = "\r" + truncate(text, width-1) + "\x1b[K"
				} else {
					text += "\n"
				}
				_, _ = io.WriteString(w, text)
			}
		}
	})
	return sync.OnceFunc(func() { close(done); writer.Wait() })
}

func progressText(s load.Stats, span time.Duration) string {
	text := s.Elapsed.Round(time.Second).String()
	if span > 0 {
		text += " of " + span.Round(time.Second).String()
	}
	if s.TargetRate > 0 {
		text += fmt.Sprintf("  target %s/s", formatFloat(s.TargetRate))
	}
	text += fmt.Sprintf("  answered %s/s  under way %d  p50 %s ms  p99 %s ms", formatFloat(s.Answered), s.Outstanding,
		formatFloat(float64(s.P50)/1e6), formatFloat(float64(s.P99)/1e6))
	if s.Failed > 0 {
		text += fmt.Sprintf("  errors %d of %d", s.Failed, s.Done)
	}
	return text
}

func truncate(text string, width int) string {
	if width > 0 && len(text) > width {
		return text[:width]
	}
	return text
}
