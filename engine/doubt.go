package engine

import (
	"context"
	"slices"
	"time"
)

// Doubter is a sensor that can ask its source whether what the agent relies on has an
// effect there. It is asked beside the turns, which wait for no answer: when the agent
// begins, again after a sample that failed, and, where nothing was found out, a minute
// later.
type Doubter interface {
	// Doubt names the setting that may have no effect, for the Problems of the firings; "" where each has one.
	// known is false where it could not be found out. What was found out before since, which
	// is when a sample last failed, may hold no more; at is now.
	Doubt(ctx context.Context, at, since time.Time) (problem string, known bool)
}

// doubtAgain is when a source is asked again that could not answer.
const doubtAgain = time.Minute

// doubt is the finding about one sensor. It is guarded by the sampler's mutex.
type doubt struct {
	asking  bool
	known   bool
	asked   time.Time
	failed  time.Time // when a sample last did
	problem string
}

// doubts asks the sensors that are due, without waiting for them. The sampler's wait group
// waits for those under way, whose context ends with the agent's.
func (s *sampler) doubts(ctx context.Context, at time.Time, errs []error) {
	for i := range s.specs {
		sensor, is := s.specs[i].Sensor.(Doubter)
		if !is {
			continue
		}
		s.mu.Lock()
		d := &s.doubt[i]
		if errs[i] != nil { // there is nobody to ask
			d.known, d.asked, d.failed = false, time.Time{}, at
			s.mu.Unlock()
			continue
		}
		due := !d.asking && !d.known && (d.asked.IsZero() || at.Sub(d.asked) >= doubtAgain || at.Before(d.asked))
		since := d.failed
		if due {
			d.asking, d.asked = true, at
		}
		s.mu.Unlock()
		if !due {
			continue
		}
		s.wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, DefaultSensorTimeout)
			defer cancel()
			problem, known := callDoubt(ctx, sensor, at, since)
			s.mu.Lock()
			defer s.mu.Unlock()
			d.asking = false
			if known {
				d.problem, d.known = problem, !d.failed.After(since)
			}
		})
	}
}

// callDoubt takes a panic of a sensor for "not known": its sample tells of it.
func callDoubt(ctx context.Context, d Doubter, at, since time.Time) (problem string, known bool) {
	var broken error
	func() {
		defer recovered(&broken)
		problem, known = d.Doubt(ctx, at, since)
	}()
	return problem, known && broken == nil
}

// doubted adds to a firing's problems what was found out so far.
func (a *agent) doubted(problems []string) []string {
	a.sampler.mu.Lock()
	defer a.sampler.mu.Unlock()
	for i, d := range a.sampler.doubt {
		if d.problem == "" {
			continue
		}
		if text := Clip("sensor " + a.names[i] + ": " + d.problem); !slices.Contains(problems, text) {
			problems = append(problems, text)
		}
	}
	return problems
}
