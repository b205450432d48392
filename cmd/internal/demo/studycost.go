package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

// Cost is the processor time of a run, in seconds.
type Cost struct {
	// Workload is the time of the pods. Demo is the time of this process: the load generator,
	// Prometheus, the router, the orchestrator and the agents.
	Workload float64 `json:"workload_cpu_s"`
	Demo     float64 `json:"demo_cpu_s"`
}

// startCost begins to measure the cost of a service's load. The function that it returns ends
// the measurement.
func (tb *testbed) startCost(service string) func(ctx context.Context) (Cost, error) {
	began, used := time.Now(), share.ProcessTime()
	return func(ctx context.Context) (Cost, error) {
		c := Cost{Demo: round((share.ProcessTime() - used).Seconds())}
		span := time.Since(began).Round(time.Second)
		samples, err := tb.prom.Query(ctx, fmt.Sprintf(`sum(increase(process_cpu_seconds_total{deployment=%q}[%s]))`, service, span), time.Now())
		if err == nil && len(samples) == 1 {
			c.Workload = round(samples[0].Value)
		}
		return c, err
	}
}
