package sensors

import (
	"context"
	"errors"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// WorkloadConfig samples what the orchestrator knows of the target itself.
type WorkloadConfig struct {
	Field string `json:"field" required:"true" enum:"desired,ready,unavailable,restarts" doc:"desired or ready replicas; unavailable: desired but not ready; restarts: of all pods together"`
}

type workload struct {
	of     engine.Orchestrator
	number func(engine.Workload) int
}

// ValueType is the JSON type that the signal's value has.
func (*WorkloadConfig) ValueType() string { return "number" }

func newWorkload(c *WorkloadConfig, env Env) (engine.Sensor, error) {
	if env.Workloads == nil {
		return nil, errors.New("no orchestrator runs here, so there are no workloads to look at; use another kind of sensor")
	}
	numbers := map[string]func(engine.Workload) int{
		"desired":     func(w engine.Workload) int { return w.Desired },
		"ready":       func(w engine.Workload) int { return w.Ready },
		"unavailable": func(w engine.Workload) int { return max(0, w.Desired-w.Ready) },
		"restarts":    func(w engine.Workload) int { return w.Restarts },
	}
	number, ok := numbers[c.Field]
	if !ok {
		return nil, errors.New("field: must be one of desired, ready, unavailable, restarts")
	}
	return &workload{of: env.Workloads, number: number}, nil
}

// Sample asks the orchestrator, which answers from memory. A workload that it
// does not know is Empty.
func (s *workload) Sample(_ context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range fleet {
		w, ok := s.of.Workload(fleet[i].ID())
		if !ok {
			out[i] = engine.Signal{State: engine.Empty, Problem: "the orchestrator runs no such workload"}
			continue
		}
		out[i] = engine.Signal{State: engine.OK, Value: float64(s.number(w)), At: at}
	}
	return out, nil
}
