package local

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Verbs are the primitives that the orchestrator offers, ready for the engine.
func Verbs(o *Orchestrator) map[string]engine.Verb {
	claim := func(name string) func(map[string]any) string {
		return func(map[string]any) string { return name }
	}
	return map[string]engine.Verb{
		"scale": {
			Actuator: ScaleActuator(o), Claim: claim("replicas"), Direction: scaleDirection,
			Check: func(with map[string]any) []string { _, m := scaleWith(with); return m },
		},
		"traffic": {
			Actuator: TrafficActuator(o), Claim: claim("traffic"),
			Check: func(with map[string]any) []string { _, m := trafficWith(with); return m },
		},
		// One pod after another takes its time.
		"restart": {Actuator: RestartActuator(o), Claim: claim("pods"), Check: restartWith, Deadline: 5 * time.Minute},
	}
}

// With maps each verb to a function that returns a pointer to its parameters'
// struct, for manifest.Kinds.
func With() map[string]func() any {
	return map[string]func() any{
		"scale":   func() any { return &ScaleWith{} },
		"traffic": func() any { return &TrafficWith{} },
		"restart": func() any { return &RestartWith{} },
	}
}

func scaleDirection(p engine.Proposal) engine.Direction {
	with, mistakes := scaleWith(p.With)
	if len(mistakes) > 0 || p.Target.Replicas == nil {
		return ""
	}
	switch {
	case with.Replicas > p.Target.Replicas.Desired:
		return engine.Up
	case with.Replicas < p.Target.Replicas.Desired:
		return engine.Down
	}
	return ""
}
