// Package agentspec turns the manifests of agents into what the engine runs: it makes
// the sensors and the fleet of each agent. It starts nothing and sends no request. Start
// reading at Build.
package agentspec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Kinds are the adapters of this program, by the names that manifests use.
func Kinds() manifest.Kinds {
	return manifest.Kinds{Sensors: sensors.Configs(), Verbs: actuators.Parameters()}
}

// Env holds what sensors and fleets are made with.
type Env struct {
	Prometheus   string              // base URL, "" for none
	MLflow       string              // base URL, "" for none
	Orchestrator engine.Orchestrator // nil for none
	// Secrets reads Kubernetes Secrets; nil where there is no Kubernetes.
	Secrets manifest.SecretReader
	// Preview means that nothing will be done: credentials that only acts use may be missing.
	Preview bool
	// Lookbacks record which Prometheus servers honour lookback_delta, for all agents;
	// nil records nothing.
	Lookbacks *sensors.Lookbacks
	// Owns reports whether a target belongs to this process' shard; nil means all do.
	Owns func(namespace, name string, labels map[string]string) bool
	Log  hclog.Logger
}

// Build makes agents ready to run. The error names every agent that can't run here.
func Build(agents []*manifest.Agent, env Env) ([]engine.Spec, error) {
	var specs []engine.Spec
	var errs []error
	for _, a := range agents {
		spec, err := BuildOne(a, env)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, spec)
	}
	return specs, errors.Join(errs...)
}

// BuildOne is Build for one agent.
func BuildOne(a *manifest.Agent, env Env) (engine.Spec, error) {
	spec, err := a.EngineSpec()
	if err != nil {
		return engine.Spec{}, fmt.Errorf("%s:%d: %w", a.File, a.Line, err)
	}
	var errs []error
	if selector, selected := a.Selector(); selected {
		if env.Orchestrator == nil {
			errs = append(errs, mistake.Mistakes{a.MistakeAt("spec.targets.selector", "nothing here runs workloads", "start with --workloads DIR, or list the targets under static")})
		} else if spec.Fleet, err = env.Orchestrator.Fleet(selector); err != nil {
			errs = append(errs, mistake.Mistakes{a.MistakeAt("spec.targets", err.Error(), "")})
		}
	}
	if static, is := spec.Fleet.(engine.StaticFleet); is && env.Owns != nil {
		spec.Fleet = slices.DeleteFunc(static, func(t engine.Target) bool { return !env.Owns(t.Namespace, t.Name, t.Labels) })
	}
	withoutSecret := map[int]bool{} // sensors, by index
	for _, use := range a.SecretUses() {
		if env.Secrets == nil && (use.Sensor >= 0 || !env.Preview) {
			errs = append(errs, mistake.Mistakes{a.MistakeAt(use.Field+".secretKeyRef", manifest.NoSecrets, manifest.NoSecretsFix)})
			withoutSecret[use.Sensor] = true
		}
	}
	for i, s := range a.Spec.Sensors {
		if withoutSecret[i] {
			continue
		}
		sensor, err := sensors.Kinds[s.Kind].New(s.Config, sensors.Env{
			Prometheus: env.Prometheus, MLflow: env.MLflow, Workloads: env.Orchestrator, StaleAfter: s.StaleAfter.Duration, Log: env.Log.Named(s.Name),
			Namespace: a.Metadata.Namespace, Secrets: env.Secrets, Lookbacks: env.Lookbacks,
		})
		if err != nil {
			errs = append(errs, mistake.Mistakes{a.MistakeAt(fmt.Sprintf("spec.sensors[%d]", i), s.Name+": "+err.Error(), "")})
			continue
		}
		spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: s.Name, Sensor: sensor, Timeout: s.Timeout.Duration, StaleAfter: s.StaleAfter.Duration, Since: s.Since, Sum: sensors.IsSum(s.Config), Sustained: s.Sustained.Engine(spec.Params)})
	}
	for i, t := range spec.Triggers {
		if _, can := env.Orchestrator.(engine.Watcher); t.Watch != nil && !can {
			errs = append(errs, mistake.Mistakes{a.MistakeAt(fmt.Sprintf("spec.triggers[%d].watch", i), "there are no objects to watch here", "run with --kubernetes, or use every")})
		}
	}
	return spec, errors.Join(errs...)
}
