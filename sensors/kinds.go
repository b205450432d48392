// Package sensors has the adapters that sample signals: one file a kind, and one
// line each in Kinds.
//
// A sensor reports what it saw. It never turns a failure, an empty answer or a
// NaN into a number, never remembers a value to stand in for a missing one, and
// never puts a secret into an error.
//
// Start reading at Kinds, then prometheus.go; client.go is how all of them
// speak HTTP, fan.go how they ask many applications at once.
package sensors

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Kind is one adapter.
type Kind struct {
	// Config returns a pointer to an empty configuration, to be decoded into.
	Config func() any
	// New makes a sensor from what Config returned. It fails where a secret or a
	// certificate can't be read, or something that the sensor needs isn't in env.
	New func(config any, env Env) (engine.Sensor, error)
}

// Env is what a sensor has besides its own configuration.
type Env struct {
	// Prometheus is the base URL of the server for sensors that name none; "" is none.
	Prometheus string
	// MLflow is the base URL of the tracker for sensors that name none; "" is none.
	MLflow string
	// Workloads is the orchestrator; nil where nothing runs the targets.
	Workloads engine.Orchestrator
	// Namespace is the agent's, and Secrets reads the Kubernetes Secrets that its
	// manifest names; nil where there is no Kubernetes.
	Namespace string
	Secrets   manifest.SecretReader
	// StaleAfter is the sensor's own, as engine.SensorSpec has it: `prometheus` sends
	// it as the look-back. 0 leaves the server's.
	StaleAfter time.Duration
	// Lookbacks are what is known of the servers that StaleAfter is sent to, for the
	// sensors of all agents; nil is for this sensor alone.
	Lookbacks *Lookbacks
	// Log is named after the sensor; nil is nowhere.
	Log hclog.Logger
}

// Kinds are the sensors that a manifest may name.
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

// Sums tells whether what a configuration samples is a sum, which falls where
// something is taken out, and not a counter, which falls where it begins anew.
func Sums(config any) bool {
	_, is := config.(*MLflowConfig)
	return is
}

// DefaultAddress is the server that a configuration without an address of its own asks;
// "" where there is none, or where the targets are asked.
func DefaultAddress(config any, env Env) string {
	switch config.(type) {
	case *PrometheusConfig, *DriftConfig:
		return env.Prometheus
	case *MLflowConfig:
		return env.MLflow
	}
	return ""
}

// Configs is what reading manifests needs of Kinds.
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
