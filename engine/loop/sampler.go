package loop

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sampler calls the sensors of one agent, all at once, each with its own deadline.
type sampler struct {
	specs []engine.SensorSpec
	// busy marks a sensor that did not return by its deadline: it is not called again before
	// it returns, so that the calls of one that hangs do not accumulate.
	busy []atomic.Bool
	wg   sync.WaitGroup

	mu     sync.Mutex
	doubts []doubt // by sensor
}

func newSampler(specs []engine.SensorSpec) *sampler {
	return &sampler{specs: specs, busy: make([]atomic.Bool, len(specs)), doubts: make([]doubt, len(specs))}
}

// grace is the time that a sensor has beyond its deadline to return.
const grace = 250 * time.Millisecond

var errOverdue = errors.New("has not yet come back from an earlier sample")

type sampled struct {
	index   int
	reading engine.Reading
	err     error
}

// sample calls every sensor for the whole fleet. The readings are by sensor, in the fleet's
// order; a sensor that failed has none, and an error instead.
func (s *sampler) sample(ctx context.Context, at time.Time, fleet []engine.Target) ([]engine.Reading, []error) {
	readings := make([]engine.Reading, len(s.specs))
	errs := make([]error, len(s.specs))
	results := make(chan sampled, len(s.specs)) // a late sensor never blocks on it
	waiting, longest := 0, time.Duration(0)
	for i := range s.specs {
		if !s.busy[i].CompareAndSwap(false, true) {
			errs[i] = errOverdue
			continue
		}
		errs[i] = errors.New("did not come back by its deadline")
		waiting++
		timeout := s.specs[i].Timeout
		if timeout <= 0 {
			timeout = engine.DefaultSensorTimeout
		}
		longest = max(longest, timeout)
		s.wg.Go(func() {
			sensorCtx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			r, err := callSensor(sensorCtx, s.specs[i], at, fleet)
			s.busy[i].Store(false)
			results <- sampled{i, r, err}
		})
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
