package app

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Kinds are the adapters of this program, as manifests may name them.
func Kinds() manifest.Kinds {
	return manifest.Kinds{Sensors: sensors.Configs(), Verbs: actuators.Parameters()}
}

// Surroundings are what agents sense through.
type Surroundings struct {
	Prometheus   string              // base URL, "" for none
	MLflow       string              // base URL, "" for none
	Orchestrator engine.Orchestrator // nil for none
	// Secrets reads Kubernetes Secrets; nil where there is no Kubernetes.
	Secrets manifest.SecretReader
	// Preview says that nothing is done: what only acts need may be missing.
	Preview bool
	// Lookbacks keep which Prometheus servers heed lookback_delta, for all agents; nil keeps nothing.
	Lookbacks *sensors.Lookbacks
	// Takes tells whether a target is this process' part of the fleet; nil takes all.
	Takes func(namespace, name string, labels map[string]string) bool
	Log   hclog.Logger
}

// Specs makes agents ready to run. The error lists every agent that can't be.
func Specs(agents []*manifest.Agent, around Surroundings) ([]engine.Spec, error) {
	var specs []engine.Spec
	var errs []error
	for _, a := range agents {
		spec, err := specOf(a, around)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, spec)
	}
	return specs, errors.Join(errs...)
}

func specOf(a *manifest.Agent, around Surroundings) (engine.Spec, error) {
	spec, err := a.EngineSpec()
	if err != nil {
		return engine.Spec{}, fmt.Errorf("%s:%d: %w", a.File, a.Line, err)
	}
	var errs []error
	if selector, selected := a.Selector(); selected {
		if around.Orchestrator == nil {
			errs = append(errs, manifest.Mistakes{a.Mistaken("spec.targets.selector", "nothing here runs workloads", "start with --workloads DIR, or list the targets under static")})
		} else if spec.Fleet, err = around.Orchestrator.Fleet(selector); err != nil {
			errs = append(errs, manifest.Mistakes{a.Mistaken("spec.targets", err.Error(), "")})
		}
	}
	if static, is := spec.Fleet.(engine.StaticFleet); is && around.Takes != nil {
		spec.Fleet = slices.DeleteFunc(static, func(t engine.Target) bool { return !around.Takes(t.Namespace, t.Name, t.Labels) })
	}
	unread := map[int]bool{} // sensors, by index
	for _, use := range a.SecretUses() {
		if around.Secrets == nil && (use.Sensor >= 0 || !around.Preview) {
			errs = append(errs, manifest.Mistakes{a.Mistaken(use.Field+".secretKeyRef", manifest.NoSecrets, manifest.NoSecretsFix)})
			unread[use.Sensor] = true
		}
	}
	for i, s := range a.Spec.Sensors {
		if unread[i] {
			continue
		}
		sensor, err := sensors.Kinds[s.Kind].New(s.Config, sensors.Env{
			Prometheus: around.Prometheus, MLflow: around.MLflow, Workloads: around.Orchestrator, StaleAfter: s.StaleAfter.Duration, Log: around.Log.Named(s.Name),
			Namespace: a.Metadata.Namespace, Secrets: around.Secrets, Lookbacks: around.Lookbacks,
		})
		if err != nil {
			errs = append(errs, manifest.Mistakes{a.Mistaken(fmt.Sprintf("spec.sensors[%d]", i), s.Name+": "+err.Error(), "")})
			continue
		}
		spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: s.Name, Sensor: sensor, Timeout: s.Timeout.Duration, StaleAfter: s.StaleAfter.Duration, Since: s.Since, Sum: sensors.IsSum(s.Config)})
	}
	for i, t := range spec.Triggers {
		if _, can := around.Orchestrator.(engine.Watcher); t.Watch != nil && !can {
			errs = append(errs, manifest.Mistakes{a.Mistaken(fmt.Sprintf("spec.triggers[%d].watch", i), "there are no objects to watch here", "run with --kubernetes, or use every")})
		}
	}
	return spec, errors.Join(errs...)
}
