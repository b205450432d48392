package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local"
)

// awaitService waits until the classifier is ready, and returns where it predicts.
func awaitService(ctx context.Context, orchestrator *local.Orchestrator) (url string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := orchestrator.WaitReady(ctx, predictor.Namespace, predictor.Name); err != nil {
		return "", fmt.Errorf("the classifier did not become ready: %w", err)
	}
	address, _ := orchestrator.Address("Service", predictor.Namespace, predictor.Name)
	return "http://" + address + "/predict", nil
}
