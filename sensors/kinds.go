// Package sensors has the adapters that sample signals. Each kind of sensor is a file named
// after it, further files with that prefix (prom, scrape, http, mlflow, drift), and one line
// in Kinds.
//
// A sensor reports what it measured. It never turns a failure, an empty result or a NaN into
// a number, never substitutes an earlier value for a missing one, and never puts a secret
// into an error. It may import the contracts in engine, the configuration types of
// engine/manifest, and the libraries of what it reads; nothing that acts or decides.
//
// Start reading at Kinds, then prometheus.go. Shared by the kinds: client.go and secrets.go
// (HTTP), pollall.go (many servers at once), matchseries.go (series to targets),
// members.go and matchmembers.go (objects by label or pod), template.go (placeholders), jsonvalue.go and valueschema.go (values), exposition*.go (pages
// of metrics) with sampleselector.go, ratewindow.go and histogramquantile.go.
package sensors

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Kind is the constructor of one kind of sensor.
type Kind struct {
	// Config returns a pointer to an empty configuration to decode into.
	Config func() any
	// New makes a sensor from what Config returned. It fails if a secret or a certificate
	// can't be read, or if env lacks something that the sensor needs.
	New func(config any, env Env) (engine.Sensor, error)
}

// Env holds what a sensor needs besides its own configuration.
type Env struct {
	// Prometheus is the base URL of the server for sensors that set no address; "" if there is
	// none.
	Prometheus string
	// MLflow is the base URL of the tracker for sensors that set no address; "" if there is
	// none.
	MLflow string
	// Workloads is the orchestrator; nil if nothing runs the targets.
	Workloads engine.Orchestrator
	// Namespace is the agent's namespace. Secrets reads the Kubernetes Secrets that its
	// manifest refers to; nil without Kubernetes.
	Namespace string
	Secrets   manifest.SecretReader
	// StaleAfter is the sensor's own, from engine.SensorSpec. Prometheus queries send it as
	// the look-back; 0 leaves the server's default.
	StaleAfter time.Duration
	// Lookbacks is shared by the sensors of all agents; nil makes one for this sensor.
	Lookbacks *Lookbacks
	// Log is named after the sensor; nil discards the log.
	Log hclog.Logger
}

// Kinds maps the name of each kind in manifests to its constructor.
var Kinds = map[string]Kind{
	"prometheus": kind(newPrometheus),
	"scrape":     kind(newScrape),
	"http":       kind(newHTTP),
	"workload":   kind(newWorkload),
	"mlflow":     kind(newMLflow),
	"object":     kind(newObject),
	"colocated":  kind(newColocated),
	"drift":      kind(newDrift),
}

// IsSum reports whether a configuration samples a sum, which decreases when something is
// removed, and not a counter, which decreases only when it is reset.
func IsSum(config any) bool {
	_, is := config.(*MLflowConfig)
	return is
}

// DefaultAddress returns the server that a configuration without an address uses; "" if there
// is none, or if the sensor reads the targets themselves.
func DefaultAddress(config any, env Env) string {
	switch config.(type) {
	case *PrometheusConfig, *DriftConfig:
		return env.Prometheus
	case *MLflowConfig:
		return env.MLflow
	}
	return ""
}

// Configs returns the constructors of the configurations, for reading manifests.
func Configs() map[string]func() any {
	out := make(map[string]func() any, len(Kinds))
	for name, k := range Kinds {
		out[name] = k.Config
	}
	return out
}

func kind[C any](build func(*C, Env) (engine.Sensor, error)) Kind {
	return Kind{
		Config: func() any { return new(C) },
		New: func(config any, env Env) (engine.Sensor, error) {
			if env.Log == nil {
				env.Log = hclog.NewNullLogger()
			}
			return build(config.(*C), env)
		},
	}
}
