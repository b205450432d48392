package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
)

// awaitService waits until the classifier is ready, and returns where it predicts.
func awaitService(ctx context.Context, local *orchestrator.Orchestrator) (url string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := local.WaitReady(ctx, predictor.Namespace, predictor.Name); err != nil {
		return "", fmt.Errorf("the classifier did not become ready: %w", err)
	}
	address, _ := local.Address("Service", predictor.Namespace, predictor.Name)
	return "http://" + address + "/predict", nil
}
