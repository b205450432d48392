package demo

import (
	"context"
	"time"

	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// stateMetrics replaces kube-state-metrics: it appends the replicas of the services, as series
// with the same names.
func (tb *testbed) stateMetrics(ctx context.Context) error {
	for at := time.Now(); waitUntil(ctx, at); at = at.Add(scrapeEvery) {
		var samples []promengine.Sample
		for _, name := range tb.study.services {
			w, known := tb.platform.orchestrator().Workload(tb.study.id(name))
			if !known {
				continue
			}
			for metric, value := range map[string]int{"kube_deployment_status_replicas_ready": w.Ready, "kube_deployment_spec_replicas": w.Desired} {
				samples = append(samples, promengine.Sample{
					Labels: map[string]string{"__name__": metric, "namespace": tb.study.name, "deployment": name}, At: time.Now(), Value: float64(value),
				})
			}
		}
		if err := tb.prom.Append(ctx, samples); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
