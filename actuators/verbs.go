package actuators

import (
	"context"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Env is what actuators reach the world through.
type Env struct {
	// Local runs workloads as processes; nil where nothing does, and then the verbs
	// that need it are not offered.
	Local *local.Orchestrator
	// Publish puts an event into the inboxes of this process.
	Publish func(context.Context, engine.Event) error
	// Credentials finds what to send in the Authorization header of a request that an
	// agent makes to an address, "" for nothing. The error names the reference, never
	// the secret.
	Credentials func(agent, url string) (string, error)
	// Now is the time that events are stamped with.
	Now func() time.Time
}

// Kind is one verb.
type Kind struct {
	// With returns a pointer to an empty struct of the verb's parameters.
	With func() any
	// Claim names the field that the verb writes; nil where it writes none.
	Claim     func(with map[string]any) string
	Direction func(p engine.Proposal) engine.Direction
	Deadline  time.Duration
	OneShot   bool
	// New makes the actuator; nil where the environment has nothing for it to act on.
	New func(Env) engine.Actuator
}

// Verbs maps each verb to how it is carried out: one line an adapter.
var Verbs = map[string]Kind{
	"scale":      {With: with[local.ScaleWith], Claim: claim("replicas"), Direction: scaleDirection, New: onLocal(local.ScaleActuator)},
	"traffic":    {With: with[local.TrafficWith], Claim: claim("traffic"), New: onLocal(local.TrafficActuator)},
	"restart":    {With: with[local.RestartWith], Claim: claim("pods"), Deadline: 5 * time.Minute, New: onLocal(local.RestartActuator)},
	"webhook":    {With: with[WebhookWith], OneShot: true, New: newWebhook},
	"event.send": {With: with[EventWith], OneShot: true, New: newEvent},
}

// Offer is the verbs that can be carried out in an environment.
func Offer(env Env) map[string]engine.Verb {
	out := map[string]engine.Verb{}
	for name, kind := range Verbs {
		actuator := kind.New(env)
		if actuator == nil {
			continue
		}
		out[name] = engine.Verb{
			Actuator: actuator, Claim: kind.Claim, Direction: kind.Direction, Deadline: kind.Deadline, OneShot: kind.OneShot,
			Check: func(with map[string]any) []string { return manifest.DecodeMap(with, kind.With()) },
		}
	}
	return out
}

// Parameters maps each verb to its parameters, for manifest.Kinds.
func Parameters() map[string]func() any {
	out := map[string]func() any{}
	for name, kind := range Verbs {
		out[name] = kind.With
	}
	return out
}

func with[T any]() any { return new(T) }

func claim(name string) func(map[string]any) string {
	return func(map[string]any) string { return name }
}

func onLocal[A engine.Actuator](make func(*local.Orchestrator) A) func(Env) engine.Actuator {
	return func(env Env) engine.Actuator {
		if env.Local == nil {
			return nil
		}
		return make(env.Local)
	}
}

// scaleDirection compares what is asked for with what the orchestrator wants now.
func scaleDirection(p engine.Proposal) engine.Direction {
	want, isNumber := p.With["replicas"].(float64)
	switch {
	case !isNumber || p.Target.Replicas == nil:
		return ""
	case want > float64(p.Target.Replicas.Desired):
		return engine.Up
	case want < float64(p.Target.Replicas.Desired):
		return engine.Down
	}
	return ""
}
