package sensors

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// WorkloadConfig samples what the orchestrator knows of the target itself.
//
// The value is a number; that of `image` and `condition` is a string.
type WorkloadConfig struct {
	Field     string `json:"field" required:"true" enum:"desired,ready,unavailable,restarts,nodes,image,condition" doc:"desired or ready replicas; unavailable: desired but not ready; restarts: of all pods together; nodes: how many different ones the pods are on; image: of the pods, several with commas between; condition: the status of one"`
	Condition string `json:"condition,omitempty" doc:"with field condition: its type, as in Available; the value is True, False or Unknown"`
}

// ValueType returns the JSON type of the signal's value.
func (c *WorkloadConfig) ValueType() string {
	if c.Field == "image" || c.Field == "condition" {
		return "string"
	}
	return "number"
}

// Check returns a condition without its field, or the field without a condition.
func (c *WorkloadConfig) Check() mistake.Mistakes {
	switch {
	case c.Field == "condition" && c.Condition == "":
		return mistake.Mistakes{{Path: "condition", Message: "say which, as in Available"}}
	case c.Field != "condition" && c.Condition != "":
		return mistake.Mistakes{{Path: "condition", Message: "goes with field: condition", Fix: "drop it, or change the field"}}
	}
	return nil
}

type workload struct {
	*WorkloadConfig
	orchestrator engine.Orchestrator
	read         func(engine.Workload) any // returns nil if there is no value
}

func newWorkload(c *WorkloadConfig, env Env) (engine.Sensor, error) {
	if env.Workloads == nil {
		return nil, errors.New("no orchestrator runs here, so there are no workloads to look at; use another kind of sensor")
	}
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	fields := map[string]func(engine.Workload) any{
		"desired":     func(w engine.Workload) any { return float64(w.Desired) },
		"ready":       func(w engine.Workload) any { return float64(w.Ready) },
		"unavailable": func(w engine.Workload) any { return float64(max(0, w.Desired-w.Ready)) },
		"restarts":    func(w engine.Workload) any { return float64(w.Restarts) },
		"nodes":       nodes,
		"image":       image,
		"condition":   c.status,
	}
	read, ok := fields[c.Field]
	if !ok {
		return nil, errors.New("field: must be one of desired, ready, unavailable, restarts, nodes, image, condition")
	}
	return &workload{WorkloadConfig: c, orchestrator: env.Workloads, read: read}, nil
}

// nodes returns the number of different nodes. A pod that is not scheduled has none.
func nodes(w engine.Workload) any {
	var names []string
	for _, p := range w.Pods {
		if p.Node != "" {
			names = append(names, p.Node)
		}
	}
	slices.Sort(names)
	return float64(len(slices.Compact(names)))
}

func image(w engine.Workload) any {
	if len(w.Images) == 0 {
		return nil
	}
	return strings.Join(w.Images, ",")
}

func (c *WorkloadConfig) status(w engine.Workload) any {
	status, ok := w.Conditions[c.Condition]
	if !ok {
		return nil
	}
	return status
}

// Sample reads the orchestrator's cache. The signal is Empty if the orchestrator does not know
// the workload, or the workload has no such value.
func (s *workload) Sample(_ context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range fleet {
		w, ok := s.orchestrator.Workload(fleet[i].ID())
		if !ok {
			out[i] = engine.Signal{State: engine.Empty, Problem: "the orchestrator runs no such workload"}
			continue
		}
		value := s.read(w)
		if value == nil {
			out[i] = engine.Signal{State: engine.Empty, Problem: strings.TrimSpace("the workload has no " + s.Field + " " + s.Condition)}
			continue
		}
		out[i] = engine.Signal{State: engine.OK, Value: value, At: at}
	}
	return out, nil
}
