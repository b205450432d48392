package turn

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// revisionless stands for the policies of a turn that only observes.
type revisionless struct{ engine.Revision }

func (revisionless) ID() string { return "r" }

// Signals that are not OK are counted per sensor, with the worst state, and listed per target.
func TestUnhealthySignals(t *testing.T) {
	fine := engine.Signal{State: engine.OK, Value: 1.0}
	a := guarded(engine.Guards{})
	for _, name := range []string{"fine", "mixed", "whole", "odd"} {
		a.Spec.Sensors = append(a.Spec.Sensors, engine.SensorSpec{Name: name})
		a.names = append(a.names, name)
	}
	o := a.Observe(Input{
		Now: epoch, Revision: revisionless{}, Fleet: []engine.Target{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Readings: []engine.Reading{
			{fine, fine, fine},
			{{State: engine.Empty}, fine, {State: engine.Error, Problem: "refused"}},
			nil,
			{fine, {State: engine.OK, Value: math.NaN()}, fine},
		},
		Errs: []error{nil, nil, errors.New("shut"), nil},
	})
	require.Equal(t, []engine.SignalHealth{
		{Sensor: "mixed", State: engine.Error, Targets: 2, First: engine.TargetID{Name: "c"}, Problem: "refused"},
		{Sensor: "whole", State: engine.Error, Targets: 3, First: engine.TargetID{Name: "a"}, Problem: "shut", Whole: true},
		{Sensor: "odd", State: engine.NaN, Targets: 1, First: engine.TargetID{Name: "b"}, Problem: "the value is not a number"},
	}, o.rec.Unhealthy)
	require.Equal(t, []engine.SignalFault{
		{Target: engine.TargetID{Name: "a"}, Signal: "mixed", State: engine.Empty, Problem: "nothing was measured"},
		{Target: engine.TargetID{Name: "b"}, Signal: "odd", State: engine.NaN, Problem: "the value is not a number"},
		{Target: engine.TargetID{Name: "c"}, Signal: "mixed", State: engine.Error, Problem: "refused"},
	}, o.Faults())
}
