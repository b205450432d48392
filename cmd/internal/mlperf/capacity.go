package mlperf

import (
	"context"
	"fmt"
)

// Probe is one run of a search.
type Probe struct {
	Rate float64 `json:"rate"`
	Held bool    `json:"held"`
	// Because says why it did not hold.
	Because string   `json:"because,omitempty"`
	P99MS   *float64 `json:"p99_ms"`
	Queries int      `json:"queries"`
	Errors  int      `json:"errors"`
	// Confirms says that it repeats the rate that was found.
	Confirms bool `json:"confirms,omitempty"`
}

// Probe is the result of a run at a rate: it holds where the bound was met and all was answered.
// A generator that fell behind makes latencies longer, not shorter: what holds all the
// same does hold.
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
	// precision is how close to one another a rate that holds and one that does not end up,
	// and the step down where the rate that was found does not hold again.
	precision = 0.05
	// mostConfirmations are tried.
	mostConfirmations = 5
)

// Capacity searches the highest rate that holds, as LoadGen's users do for the Server
// scenario (inference rules, section "LoadGen Operation"): it doubles from the first rate
// until one does not hold, bisects, and confirms what it found by a last run; where that
// fails, it goes down by a small step and tries again. least and most are the lowest and the
// highest rate tried. It returns 0 where no rate held.
func Capacity(ctx context.Context, least, first, most float64, run func(ctx context.Context, rate float64, confirms bool) (held bool, err error)) (float64, error) {
	low, high := 0.0, 0.0 // holds; does not
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
