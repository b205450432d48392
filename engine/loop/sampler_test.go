package loop

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sensorFunc is a sensor with faults that a real one can't be made to have.
type sensorFunc func(ctx context.Context, fleet []engine.Target) (engine.Reading, error)

func (f sensorFunc) Sample(ctx context.Context, _ time.Time, fleet []engine.Target) (engine.Reading, error) {
	return f(ctx, fleet)
}

func one(ctx context.Context, fleet []engine.Target) (engine.Reading, error) {
	r := make(engine.Reading, len(fleet))
	for i := range r {
		r[i] = engine.Signal{State: engine.OK, Value: 1.0}
	}
	return r, nil
}

// Defect 4 of the published system: a sleep in a handler blocked every other
// sensor of the agent.
func TestDefect4ASleepingSensorDoesNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		var samples atomic.Int64
		s := newSampler([]engine.SensorSpec{
			{Name: "good", Sensor: sensorFunc(one), Timeout: time.Second},
			{Name: "asleep", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []engine.Target) (engine.Reading, error) {
				samples.Add(1)
				<-wake // ignores its context
				return nil, errors.New("late")
			})},
			{Name: "panics", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []engine.Target) (engine.Reading, error) { panic("oh") })},
			{Name: "short", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []engine.Target) (engine.Reading, error) { return engine.Reading{}, nil })},
		})
		fleet := []engine.Target{{Name: "a"}}
		start := time.Now()
		for range 3 {
			readings, errs := s.sample(t.Context(), start, fleet)
			require.NoError(t, errs[0])
			require.Equal(t, 1.0, readings[0][0].Value)
			require.Error(t, errs[1])
			require.ErrorContains(t, errs[2], "panic: oh")
			require.ErrorContains(t, errs[3], "answered for 0 targets, asked for 1")
		}
		require.Equal(t, time.Second+grace, time.Since(start), "waited for once, and then not sampled until it returns")
		require.EqualValues(t, 1, samples.Load())
		close(wake)
		s.wg.Wait()
		_, errs := s.sample(t.Context(), start, fleet)
		require.EqualError(t, errs[1], "late")
		require.EqualValues(t, 2, samples.Load())
	})
}
