package orchestrator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// Metrics returns the counters of every Service port and HTTPRoute, in a fixed order.
func (o *Orchestrator) Metrics() []router.Metrics { return o.router.Metrics() }

// Collector exports the same counters to Prometheus (router.Definitions).
func (o *Orchestrator) Collector() prometheus.Collector { return o.router }

// Address returns where a Service (its first port) or an HTTPRoute listens, as host:port.
func (o *Orchestrator) Address(kind, namespace, name string) (string, bool) {
	return o.router.Address(kind, namespace, name)
}
