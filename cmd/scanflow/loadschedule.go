package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// planServer plans when queries are due.
func (p *loadPlan) planServer(r *loadRun) {
	switch {
	case p.changed("schedule") && p.schedule == "" || p.changed("trace") && p.trace == "": // reported by checkEmpty
	case p.changed("schedule"):
		phases, err := load.ParseSchedule(p.schedule)
		if err != nil {
			p.errorf("--schedule: %w", err)
		}
		r.options.Phases = phases
		for _, phase := range phases {
			r.params.Varies = r.params.Varies || phase.Shape != load.Steady || phase.Rate != phases[0].Rate
		}
	case p.changed("trace"):
		r.params.Varies = true
		p.planTrace(r)
	case p.capacity || p.changed("rate"):
		r.options.Phases = []load.Phase{{Name: "steady", Duration: p.duration, Rate: p.rate}}
	default:
		p.errorf("--rate: server needs --rate, --schedule or --trace")
	}
}

// maxTraceDuration fits into a time.Duration.
const maxTraceDuration = 100 * 365 * 24 * time.Hour

func (p *loadPlan) planTrace(r *loadRun) {
	trace, err := load.ReadTrace(p.trace)
	if err != nil {
		for _, err := range splitErrors(err) {
			p.errorf("--%w", err)
		}
		return
	}
	if !(p.scaleRate > 0) || !(p.scaleTime > 0) || math.IsInf(p.scaleRate, 0) || math.IsInf(p.scaleTime, 0) {
		return // reported by checkValues
	}
	if float64(trace.Span())*p.scaleTime > float64(maxTraceDuration) {
		p.errorf("--scale-time: at %g the trace takes more than 100 years; give a smaller one", p.scaleTime)
		return
	}
	trace = trace.Scaled(p.scaleRate, p.scaleTime)
	if peak := trace.Peak(); peak > load.MaxRate {
		p.errorf("--scale-rate: at %g the trace has up to %g queries/s, and no process sends more than %.0f", p.scaleRate, peak, load.MaxRate)
		return
	}
	if len(trace.Unread) > 0 {
		r.notes = append(r.notes, fmt.Sprintf("The trace has a request a line: %d queries. Its columns %s are not read.", len(trace.Times), plot.Line(strings.Join(trace.Unread, ", "))))
	}
	span, play := trace.Span(), time.Duration(0)
	if p.changed("duration") {
		play = p.duration
	}
	if span <= 0 {
		p.errorf("--scale-time: %g leaves nothing of the trace", p.scaleTime)
		return
	}
	phase := trace.Phase(filepath.Base(p.trace), play)
	r.options.Phases = []load.Phase{phase}
	if phase.Duration < span {
		r.notes = append(r.notes, fmt.Sprintf("The trace takes %s; --duration leaves its first %s: %.0f of %.0f queries.",
			roundDuration(span), roundDuration(phase.Duration), trace.Requests(phase.Duration), trace.Requests(span)))
	} else if play > span {
		p.errorf("--duration: %s is longer than the trace, which takes %s; leave it out", play, roundDuration(span))
	}
}

// splitErrors returns the errors that were joined.
func splitErrors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
