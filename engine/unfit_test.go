package engine

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not OK is counted by sensor, by the worst state, and told by target.
func TestUnfit(t *testing.T) {
	reading := func(list ...Signal) sensorFunc {
		return func(context.Context, []Target) (Reading, error) { return list, nil }
	}
	fine := Signal{State: OK, Value: 1.0}
	a := newAgent(NewHost(Config{}), Spec{
		Fleet: StaticFleet{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Sensors: []SensorSpec{
			{Name: "fine", Sensor: reading(fine, fine, fine)},
			{Name: "mixed", Sensor: reading(Signal{State: Empty}, fine, Signal{State: Error, Problem: "refused"})},
			{Name: "whole", Sensor: sensorFunc(func(context.Context, []Target) (Reading, error) { return nil, errors.New("shut") })},
			{Name: "odd", Sensor: reading(fine, Signal{State: OK, Value: math.NaN()}, fine)},
		},
	})
	rec := FiringRecord{Signals: map[State]int{}}
	slots, err := a.sense(t.Context(), epoch, &TriggerInfo{}, &rec)
	require.NoError(t, err)
	require.Equal(t, []Unfit{
		{Sensor: "mixed", State: Error, Targets: 2, First: TargetID{Name: "c"}, Problem: "refused"},
		{Sensor: "whole", State: Error, Targets: 3, First: TargetID{Name: "a"}, Problem: "shut", Whole: true},
		{Sensor: "odd", State: NaN, Targets: 1, First: TargetID{Name: "b"}, Problem: "the value is not a number"},
	}, rec.Unfit)
	require.Equal(t, []Fault{
		{TargetID{Name: "a"}, "mixed", Empty, "nothing was measured"},
		{TargetID{Name: "b"}, "odd", NaN, "the value is not a number"},
		{TargetID{Name: "c"}, "mixed", Error, "refused"},
	}, a.faults(slots, rec.Unfit))
}
