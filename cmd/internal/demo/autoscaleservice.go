package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// followPods updates the Prometheus targets to the pods of the workload, with the labels that
// a cluster's scrape configuration would give them, until the context ends.
func followPods(ctx context.Context, prom *promengine.Engine, local *orchestrator.Orchestrator, id engine.TargetID) error {
	for {
		changed := local.Changed()
		workload, _ := local.Workload(id)
		if err := prom.SetTargets(id.Name, podTargets(id, workload.Pods)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// awaitService waits until the classifier is ready, and returns the URL for predictions.
func awaitService(ctx context.Context, local *orchestrator.Orchestrator) (url string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := local.WaitReady(ctx, predictor.Namespace, predictor.Name); err != nil {
		return "", fmt.Errorf("the classifier did not become ready: %w", err)
	}
	address, _ := local.Address("Service", predictor.Namespace, predictor.Name)
	return "http://" + address + "/predict", nil
}
