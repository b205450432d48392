package engine

import "time"

// SustainedSpec asks for how long the values of a sensor have held.
type SustainedSpec struct {
	// Over is the span that Min, Max and Avg of Sustained cover.
	Over time.Duration
	// Above and Below are the bounds that values are compared with; nil for none.
	Above, Below *float64
}

// Sustained summarizes the latest samples of a signal up to the last one, since the last
// sample that was not OK. All spans are between the times at which samples were measured: a
// single sample has held for no time.
type Sustained struct {
	// Samples counts those of the last Over.
	Samples int
	// Span is the time from the first sample to the last.
	Span time.Duration
	// Covered is set where the samples reach back over all of Over. Only then Min, Max and Avg
	// are set.
	Covered       bool
	Min, Max, Avg float64
	// Above is how long every sample has been strictly above SustainedSpec.Above; 0 where the
	// last one is not, nil without that bound. Below is the same for the other bound.
	Above, Below *time.Duration
}

// Input returns the summary as JSON values.
func (s *Sustained) Input() map[string]any {
	out := map[string]any{"samples": s.Samples, "span_ns": s.Span.Nanoseconds()}
	if s.Covered {
		out["min"], out["max"], out["avg"] = s.Min, s.Max, s.Avg
	}
	if s.Above != nil {
		out["above_ns"] = s.Above.Nanoseconds()
	}
	if s.Below != nil {
		out["below_ns"] = s.Below.Nanoseconds()
	}
	return out
}

// Equal reports whether two summaries say the same; either may be nil.
func (s *Sustained) Equal(o *Sustained) bool {
	if s == nil || o == nil {
		return s == o
	}
	a, b := *s, *o
	a.Above, a.Below, b.Above, b.Below = nil, nil, nil, nil
	return a == b && equalSpans(s.Above, o.Above) && equalSpans(s.Below, o.Below)
}

func equalSpans(a, b *time.Duration) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
