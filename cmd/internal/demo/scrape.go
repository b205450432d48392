package demo

import (
	"context"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// followPods keeps the Prometheus engine's targets those of the workload's pods,
// with the labels that a cluster's scrape configuration would give them, until the
// context ends.
func followPods(ctx context.Context, prom *promengine.Engine, local *orchestrator.Orchestrator, id engine.TargetID) error {
	for {
		changed := local.Changed()
		workload, _ := local.Workload(id)
		var targets []promengine.Target
		for _, p := range workload.Pods {
			if address := p.Ports["http"]; address != "" {
				targets = append(targets, promengine.Target{Address: address, Labels: map[string]string{
					"namespace": id.Namespace, "deployment": id.Name, "pod": p.Name, "node": p.Node,
				}})
			}
		}
		if err := prom.SetTargets(id.Name, targets); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
