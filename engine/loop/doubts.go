package loop

import (
	"context"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// doubtAgain is the pause after a check of a source without a result.
const doubtAgain = time.Minute

// doubt is the result of the checks of one sensor (engine.Doubter). The sampler's mutex
// guards it.
type doubt struct {
	checking bool
	known    bool
	checked  time.Time
	failed   time.Time // when a sample last did
	problem  string
}

// check starts the checks that are due, and does not wait for them. The sampler's wait group
// does; their context ends with the agent's.
func (s *sampler) check(ctx context.Context, at time.Time, errs []error) {
	for i := range s.specs {
		sensor, is := s.specs[i].Sensor.(engine.Doubter)
		if !is {
			continue
		}
		due, since := s.due(i, at, errs[i] != nil)
		if !due {
			continue
		}
		s.wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, engine.DefaultSensorTimeout)
			defer cancel()
			problem, known := callDoubt(ctx, sensor, at, since)
			s.mu.Lock()
			defer s.mu.Unlock()
			d := &s.doubts[i]
			d.checking = false
			if known {
				d.problem, d.known = problem, !d.failed.After(since)
			}
		})
	}
}

// due reports whether a sensor is to be checked now, and since when a result counts.
func (s *sampler) due(i int, at time.Time, failed bool) (due bool, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.doubts[i]
	if failed { // its source does not answer
		d.known, d.checked, d.failed = false, time.Time{}, at
		return false, time.Time{}
	}
	due = !d.checking && !d.known && (d.checked.IsZero() || at.Sub(d.checked) >= doubtAgain || at.Before(d.checked))
	if due {
		d.checking, d.checked = true, at
	}
	return due, d.failed
}

// callDoubt returns no result where the sensor panics: its sample reports that.
func callDoubt(ctx context.Context, d engine.Doubter, at, since time.Time) (problem string, known bool) {
	var broken error
	func() {
		defer recovered(&broken)
		problem, known = d.Doubt(ctx, at, since)
	}()
	return problem, known && broken == nil
}

// problems returns what the checks found so far.
func (s *sampler) problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for i, d := range s.doubts {
		if d.problem != "" {
			out = append(out, "sensor "+s.specs[i].Name+": "+d.problem)
		}
	}
	return out
}
