package load

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Shape is the course of the rate within a phase.
type Shape string

const (
	Steady Shape = ""       // constant at Rate
	Ramp   Shape = "ramp"   // linear from Rate to To
	Sine   Shape = "sine"   // between Rate and To and back in each Period, starting midway towards To
	Square Shape = "square" // Rate for the first half of each Period, To for the second
	Day    Shape = "day"    // from midnight to midnight each Period: lowest (Rate) at 04:00, highest (To) at 16:00
	Traced Shape = "trace"  // the rate of a trace; see Trace.Phase
)

// Phase is a part of a run with a rate of arrivals.
type Phase struct {
	Name     string        `json:"name"`
	Duration time.Duration `json:"-"`
	Rate     float64       `json:"rate"` // queries per second; 0 sends none
	Shape    Shape         `json:"shape,omitempty"`
	To       float64       `json:"to,omitempty"` // for every shape but Steady
	Period   time.Duration `json:"-"`            // for Sine, Square and Day
	trace    *Trace
}

// RateAt returns the target rate, in queries per second, at a time since the start of the
// phase.
func (p Phase) RateAt(t time.Duration) float64 {
	switch p.Shape {
	case Ramp:
		return p.Rate + (p.To-p.Rate)*float64(t)/float64(p.Duration)
	case Sine:
		middle, swing := (p.Rate+p.To)/2, (p.To-p.Rate)/2
		return middle + swing*math.Sin(2*math.Pi*float64(t)/float64(p.Period))
	case Square:
		if t%p.Period >= p.Period/2 {
			return p.To
		}
	case Day:
		hours := 24 * float64(t) / float64(p.Period)
		return p.Rate + (p.To-p.Rate)*(1-math.Cos(2*math.Pi*(hours-lowestHour)/24))/2
	case Traced:
		return p.trace.rateAt(t)
	}
	return p.Rate
}

// lowestHour is the hour of the lowest load of a day.
const lowestHour = 4

// peak returns an upper bound of the phase's rate.
func (p Phase) peak() float64 {
	if p.Shape == Steady {
		return p.Rate
	}
	return max(p.Rate, p.To)
}

// mean returns the mean target rate over the first d (more than 0) of the phase.
func (p Phase) mean(d time.Duration) float64 {
	switch p.Shape {
	case Steady:
		return p.Rate
	case Traced:
		return p.trace.mean(d)
	}
	const slices = 2000
	var sum float64
	for i := range slices {
		sum += p.RateAt(time.Duration((float64(i) + 0.5) / slices * float64(d)))
	}
	return sum / slices
}

// MaxRate bounds the rate of a phase. One process can't send that much.
const MaxRate = 1e6

func (p Phase) check() error {
	var errs []error
	rate := func(name string, v float64) {
		if !(v >= 0 && v <= MaxRate) {
			errs = append(errs, fmt.Errorf("%s: %g is not between 0 and %g queries per second", name, v, MaxRate))
		}
	}
	if p.Duration <= 0 {
		errs = append(errs, fmt.Errorf("duration: %s is not above 0", p.Duration))
	}
	rate("rate", p.Rate)
	switch p.Shape {
	case Steady:
		if p.To != 0 || p.Period != 0 {
			errs = append(errs, errors.New("shape: a steady phase has neither to nor period; use ramp, sine, square or day"))
		}
	case Ramp, Sine, Square, Day:
		rate("to", p.To)
		if p.Shape != Ramp && p.Period <= 0 {
			errs = append(errs, fmt.Errorf("period: %s is not above 0", p.Period))
		}
	case Traced:
		if p.trace == nil {
			errs = append(errs, errors.New("shape: a traced phase is made by a trace"))
		}
	default:
		errs = append(errs, fmt.Errorf("shape: %q is not one of ramp, sine, square, day, or empty for steady", p.Shape))
	}
	return errors.Join(errs...)
}

// Total returns the total duration of the phases.
func Total(phases []Phase) time.Duration {
	var d time.Duration
	for _, p := range phases {
		d += p.Duration
	}
	return d
}
