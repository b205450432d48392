package engine

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	ago := func(d time.Duration) time.Time { return epoch.Add(-d) }
	for name, row := range map[string]struct {
		seen    Signal
		failure error
		stale   time.Duration
		last    lastGood
		want    State
		value   any
		kept    any
	}{
		"a number":                      {seen: Signal{State: OK, Value: 3.0}, want: OK, value: 3.0},
		"not a number":                  {seen: Signal{State: OK, Value: math.NaN()}, last: lastGood{Value: 2.0, At: ago(time.Hour)}, want: NaN, kept: 2.0},
		"an infinity":                   {seen: Signal{State: OK, Value: math.Inf(1)}, want: NaN},
		"young enough":                  {seen: Signal{State: OK, Value: 3.0, At: ago(30 * time.Second)}, stale: 30 * time.Second, want: OK, value: 3.0},
		"too old":                       {seen: Signal{State: OK, Value: 3.0, At: ago(31 * time.Second)}, stale: 30 * time.Second, want: Stale, kept: 3.0},
		"any age without a bound":       {seen: Signal{State: OK, Value: 3.0, At: ago(time.Hour)}, want: OK, value: 3.0},
		"never there":                   {seen: Signal{State: Empty}, stale: 30 * time.Second, want: Empty},
		"gone a moment ago":             {seen: Signal{State: Empty}, stale: 30 * time.Second, last: lastGood{Value: 5.0, At: ago(10 * time.Second)}, want: Stale, kept: 5.0},
		"gone, as its source remembers": {seen: Signal{State: Empty, Last: 7.0, At: ago(10 * time.Second)}, stale: 30 * time.Second, want: Stale, kept: 7.0},
		"gone, as its source remembers, long ago":   {seen: Signal{State: Empty, Last: 7.0, At: ago(time.Minute)}, stale: 30 * time.Second, want: Empty, kept: 7.0},
		"gone, and the agent remembers more of it":  {seen: Signal{State: Empty, Last: 7.0, At: ago(20 * time.Second)}, stale: 30 * time.Second, last: lastGood{Value: 5.0, At: ago(10 * time.Second)}, want: Stale, kept: 5.0},
		"gone, and remembered of the time to come":  {seen: Signal{State: Empty, Last: 7.0, At: epoch.Add(time.Second)}, stale: 30 * time.Second, want: Empty},
		"gone, and remembered as what is no number": {seen: Signal{State: Empty, Last: math.NaN(), At: ago(time.Second)}, stale: 30 * time.Second, want: Empty},
		"too old, as its source says":               {seen: Signal{State: Stale, Problem: "old"}, stale: 30 * time.Second, last: lastGood{Value: 5.0, At: ago(time.Minute)}, want: Stale, kept: 5.0},
		"gone long ago":                             {seen: Signal{State: Empty}, stale: 30 * time.Second, last: lastGood{Value: 5.0, At: ago(time.Minute)}, want: Empty, kept: 5.0},
		"stamped in the future":                     {seen: Signal{State: OK, Value: 3.0, At: epoch.Add(time.Hour)}, want: Error},
		"stamped before all calendars":              {seen: Signal{State: OK, Value: 3.0, At: time.UnixMilli(-1e14)}, last: lastGood{Value: 5.0, At: ago(time.Minute)}, want: Error, kept: 5.0},
		"stamped after all calendars":               {seen: Signal{State: OK, Value: 3.0, At: time.UnixMilli(math.MaxInt64)}, want: Error},
		"stamped by a clock a bit ahead":            {seen: Signal{State: OK, Value: 3.0, At: epoch.Add(time.Second)}, want: OK, value: 3.0},
		"not a number, deep inside":                 {seen: Signal{State: OK, Value: []any{1.0, map[string]any{"x": math.NaN()}}}, want: NaN},
		"failed":                                    {failure: errors.New("refused"), last: lastGood{Value: 5.0, At: ago(time.Minute)}, want: Error, kept: 5.0},
		"a value in a state that is not":            {seen: Signal{State: Error, Value: 9.0}, want: Error},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(row.seen, row.failure, epoch, row.stale, &row.last)
			require.Equal(t, row.want, got.State)
			require.Equal(t, row.value, got.Value)
			require.Equal(t, row.kept, got.Last)
		})
	}
}

// sensorFunc is a sensor for faults that no real one can be made to have.
type sensorFunc func(ctx context.Context, fleet []Target) (Reading, error)

func (f sensorFunc) Sample(ctx context.Context, _ time.Time, fleet []Target) (Reading, error) {
	return f(ctx, fleet)
}

func one(ctx context.Context, fleet []Target) (Reading, error) {
	r := make(Reading, len(fleet))
	for i := range r {
		r[i] = Signal{State: OK, Value: 1.0}
	}
	return r, nil
}

// Defect 4 of the published system: a sleep in a handler blocked every other
// sensor of the agent.
func TestDefect4ASleepingSensorHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		var asked atomic.Int64
		s := newSampler([]SensorSpec{
			{Name: "good", Sensor: sensorFunc(one), Timeout: time.Second},
			{Name: "asleep", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []Target) (Reading, error) {
				asked.Add(1)
				<-wake // deaf to its context
				return nil, errors.New("late")
			})},
			{Name: "panics", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []Target) (Reading, error) { panic("oh") })},
			{Name: "short", Timeout: time.Second, Sensor: sensorFunc(func(context.Context, []Target) (Reading, error) { return Reading{}, nil })},
		})
		fleet := []Target{{Name: "a"}}
		start := time.Now()
		for range 3 {
			readings, errs := s.sample(t.Context(), start, fleet)
			require.NoError(t, errs[0])
			require.Equal(t, 1.0, readings[0][0].Value)
			require.Error(t, errs[1])
			require.ErrorContains(t, errs[2], "panic: oh")
			require.ErrorContains(t, errs[3], "answered for 0 targets, asked for 1")
		}
		require.Equal(t, time.Second+grace, time.Since(start), "waited for once, and then not asked again until it is back")
		require.EqualValues(t, 1, asked.Load())
		close(wake)
		s.wg.Wait()
		_, errs := s.sample(t.Context(), start, fleet)
		require.EqualError(t, errs[1], "late")
		require.EqualValues(t, 2, asked.Load())
	})
}
