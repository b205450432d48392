package mlperf

import (
	"context"
	"fmt"
)

// Probe is one run of a search.
type Probe struct {
	Rate float64 `json:"rate"`
	Held bool    `json:"held"`
	// Because is the reason why the rate was not sustained.
	Because string   `json:"because,omitempty"`
	P99MS   *float64 `json:"p99_ms"`
	Queries int      `json:"queries"`
	Errors  int      `json:"errors"`
	// Confirms marks a repetition of the rate that was found.
	Confirms bool `json:"confirms,omitempty"`
}

// Probe returns the result of a run at a rate. The rate is sustained if the bound was met
// and no query failed. A generator that falls behind only makes latencies longer, so such
// a run counts if it meets the bound.
func (out *Report) Probe(rate float64, confirms bool) Probe {
	p := Probe{Rate: rate, P99MS: out.LatencyMS.P99, Queries: out.Queries, Errors: out.Errors, Confirms: confirms}
	switch {
	case out.Errors > 0:
		p.Because = fmt.Sprintf("%d of %d were not answered", out.Errors, out.Queries)
	case out.BoundMet == nil || !*out.BoundMet:
		p.Because = "the bound was missed"
	}
	if p.Because != "" && out.FellBehindMS != nil {
		p.Because += fmt.Sprintf(", and the generator fell behind by %.0f ms", out.MaxLagMS)
	}
	p.Held = p.Because == ""
	return p
}

const (
	// precision is the relative distance at which the bisection ends, and the step down if a
	// confirmation fails.
	precision = 0.05
	// mostConfirmations bounds the confirmations.
	mostConfirmations = 5
)

// Capacity searches the highest sustained rate, as for LoadGen's Server scenario
// (inference rules, section "LoadGen Operation"). It doubles the first rate until one is
// not sustained, bisects, and confirms the result with another run. If that fails, it
// goes down by a small step and tries again. least and most bound the rates. It returns 0
// if no rate was sustained.
func Capacity(ctx context.Context, least, first, most float64, run func(ctx context.Context, rate float64, confirms bool) (held bool, err error)) (float64, error) {
	low, high := 0.0, 0.0 // sustained; not sustained
	for rate := max(least, min(first, most)); ; {
		held, err := run(ctx, rate, false)
		if err != nil {
			return 0, err
		}
		if held {
			low = rate
		} else {
			high = rate
		}
		switch {
		case low > 0 && (high > 0 || low == most):
		case held:
			rate = min(2*rate, most)
			continue
		case rate/2 < least:
			return 0, nil
		default:
			rate /= 2
			continue
		}
		break
	}
	for high > 0 && high > low*(1+precision) {
		rate := (low + high) / 2
		held, err := run(ctx, rate, false)
		if err != nil {
			return 0, err
		}
		if held {
			low = rate
		} else {
			high = rate
		}
	}
	for range mostConfirmations {
		held, err := run(ctx, low, true)
		if err != nil {
			return 0, err
		}
		if held {
			return low, nil
		}
		low *= 1 - precision
	}
	return 0, fmt.Errorf("no rate held a second time, down to %.4g queries/s: the service's latency changes from run to run; make the probes longer", low)
}
