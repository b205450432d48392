package sensors_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func TestWorkloadFields(t *testing.T) {
	a, b, bare := target("x", "a"), target("x", "b"), target("x", "bare")
	known := workloads{
		a.ID(): {
			Desired: 4, Ready: 2, Restarts: 3, Images: []string{"app:1", "log:2"}, Conditions: map[string]string{"Available": "False"},
			Pods: []engine.Pod{{Node: "n2"}, {Node: "n1"}, {Node: "n2"}, {}},
		},
		bare.ID(): {Ready: 1},
	}
	at := time.Unix(1000, 0)
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: at} }
	empty := func(why string) engine.Signal { return engine.Signal{State: engine.Empty, Problem: why} }
	unknown := empty("the orchestrator runs no such workload")
	for field, want := range map[string]struct {
		kind string
		of   engine.Reading
	}{
		"desired":     {"number", engine.Reading{ok(4.0), unknown, ok(0.0)}},
		"ready":       {"number", engine.Reading{ok(2.0), unknown, ok(1.0)}},
		"unavailable": {"number", engine.Reading{ok(2.0), unknown, ok(0.0)}},
		"restarts":    {"number", engine.Reading{ok(3.0), unknown, ok(0.0)}},
		"nodes":       {"number", engine.Reading{ok(2.0), unknown, ok(0.0)}},
		"image":       {"string", engine.Reading{ok("app:1,log:2"), unknown, empty("the workload has no image")}},
		"condition":   {"string", engine.Reading{ok("False"), unknown, empty("the workload has no condition Available")}},
	} {
		t.Run(field, func(t *testing.T) {
			c := &sensors.WorkloadConfig{Field: field}
			if field == "condition" {
				c.Condition = "Available"
			}
			require.Equal(t, want.kind, c.ValueType())
			got := sampleAt(t, build(t, "workload", c, sensors.Env{Workloads: known}), at, a, b, bare)
			require.Empty(t, cmp.Diff(want.of, got))
		})
	}
}

func TestWorkloadMistakes(t *testing.T) {
	for want, c := range map[string]*sensors.WorkloadConfig{
		"say which":                   {Field: "condition"},
		"goes with field: condition":  {Field: "ready", Condition: "Available"},
		"field: must be one of":       {Field: "size"},
		"restarts, nodes, image, con": {Field: ""},
	} {
		_, err := sensors.Kinds["workload"].New(c, sensors.Env{Workloads: workloads{}})
		require.ErrorContains(t, err, want)
	}
	_, err := sensors.Kinds["workload"].New(&sensors.WorkloadConfig{Field: "ready"}, sensors.Env{})
	require.ErrorContains(t, err, "no orchestrator")
}
