package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sampler runs one agent's sensors, all at once, each within its own deadline.
type sampler struct {
	specs []SensorSpec
	// busy marks a sensor that did not come back by its deadline: it is not asked
	// again until it has, so that a stuck one never piles up.
	busy []atomic.Bool
	wg   sync.WaitGroup

	mu    sync.Mutex
	doubt []doubt // by sensor
}

func newSampler(specs []SensorSpec) *sampler {
	return &sampler{specs: specs, busy: make([]atomic.Bool, len(specs)), doubt: make([]doubt, len(specs))}
}

// grace is what a sensor is given beyond its deadline to notice that it passed.
const grace = 250 * time.Millisecond

type sampled struct {
	index   int
	reading Reading
	err     error
}

// sample asks every sensor for the whole fleet. The readings come back by sensor,
// in the fleet's order; a sensor that failed has none, and its error instead.
func (s *sampler) sample(ctx context.Context, at time.Time, fleet []Target) ([]Reading, []error) {
	readings := make([]Reading, len(s.specs))
	errs := make([]error, len(s.specs))
	results := make(chan sampled, len(s.specs)) // never blocks a late sensor
	waiting, longest := 0, time.Duration(0)
	for i := range s.specs {
		if !s.busy[i].CompareAndSwap(false, true) {
			errs[i] = errors.New("has not yet come back from an earlier sample")
			continue
		}
		errs[i] = errors.New("did not come back by its deadline")
		waiting++
		timeout := s.specs[i].Timeout
		if timeout <= 0 {
			timeout = DefaultSensorTimeout
		}
		longest = max(longest, timeout)
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			sensorCtx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			r, err := callSensor(sensorCtx, s.specs[i].Sensor, at, fleet)
			s.busy[i].Store(false)
			results <- sampled{i, r, err}
		}()
	}
	overdue, cancel := context.WithTimeout(ctx, longest+grace)
	defer cancel()
	for ; waiting > 0; waiting-- {
		select {
		case r := <-results:
			readings[r.index], errs[r.index] = r.reading, r.err
		case <-overdue.Done():
			return readings, errs
		}
	}
	return readings, errs
}

// callSensor turns a panic of a sensor into its error: one broken adapter must
// not take the other agents of the process down.
func callSensor(ctx context.Context, s Sensor, at time.Time, fleet []Target) (r Reading, err error) {
	defer recovered(&err)
	r, err = s.Sample(ctx, at, fleet)
	if err == nil && len(r) != len(fleet) {
		return nil, fmt.Errorf("answered for %d targets, asked for %d", len(r), len(fleet))
	}
	return r, err
}

// aheadOfTime is how far in the future a stamp may be: clocks differ a little.
const aheadOfTime = 30 * time.Second

// countable reports whether a time can be counted in nanoseconds since 1970, as documents
// and the journal do; none can.
func countable(t time.Time) bool { return t.IsZero() || time.Unix(0, t.UnixNano()).Equal(t) }

// hasNaN looks for a number that is none, at any depth.
func hasNaN(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v) || math.IsInf(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNaN)
	case map[string]any:
		for _, x := range v {
			if hasNaN(x) {
				return true
			}
		}
	}
	return false
}

// lastGood is the last value of one signal of one target that was OK.
type lastGood struct {
	Value any           `json:"v"`
	At    time.Time     `json:"t"`
	For   time.Duration `json:"w,omitempty"`
}

// judge is the one place that says what state a signal is in. It takes what the
// sensor saw, or its failure, and the last good value, which it renews.
func judge(s Signal, failure error, at time.Time, staleAfter time.Duration, last *lastGood) Signal {
	if failure != nil {
		s = Signal{State: Error, Problem: failure.Error()}
	}
	s.Problem = Clip(s.Problem)
	last.At = past(last.At, at) // its clock was set back
	if s.State == OK && hasNaN(s.Value) {
		s.State = NaN
	}
	if s.State == OK && !countable(s.At) {
		s.State, s.Problem = Error, "is stamped in the year "+strconv.Itoa(s.At.UTC().Year())+", which is outside of 1678 to 2262; set the time at its source right"
	}
	if s.State == OK && s.At.Sub(at) > aheadOfTime {
		s.State, s.Problem = Error, "is stamped "+s.At.Sub(at).Round(time.Second).String()+" in the future; set the clocks right"
	}
	if s.State == OK {
		if s.At.IsZero() {
			s.At = at
		}
		last.Value, last.At, last.For = s.Value, s.At, s.Window
		if staleAfter <= 0 || at.Sub(s.At) <= staleAfter {
			return s
		}
		s.State, s.Problem = Stale, "measured "+at.Sub(s.At).Round(time.Second).String()+" ago"
	}
	if s.State == Empty && s.At.After(last.At) && !s.At.After(at) && countable(s.At) && !hasNaN(s.Last) { // its source remembers more than this agent
		last.Value, last.At, last.For = s.Last, s.At, s.Window
	}
	if s.State == Empty && staleAfter > 0 && !last.At.IsZero() && at.Sub(last.At) <= staleAfter {
		s.State, s.Problem = Stale, "was there a moment ago, and is gone"
	}
	s.Value, s.Last, s.At = nil, nil, time.Time{}
	if !last.At.IsZero() {
		s.Last, s.At, s.Window = last.Value, last.At, last.For
	}
	return s
}
