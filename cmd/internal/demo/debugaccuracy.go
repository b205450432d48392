package demo

import (
	"context"
	"fmt"
	"strconv"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
)

// versionAccuracy has the metrics of a version in the registry.
type versionAccuracy struct {
	accuracy  float64 // on the held-out digits with the drift
	clean     float64 // on the clean held-out digits
	trainSize int
}

// accuracyOf reads the metrics of the run that trained the version.
func (st *debugStage) accuracyOf(ctx context.Context, version string) (versionAccuracy, error) {
	v, err := st.mlflow.Version(ctx, steps.DefaultModel, version)
	if err != nil {
		return versionAccuracy{}, fmt.Errorf("read version %s from the registry: %w", version, err)
	}
	run, err := st.mlflow.Run(ctx, v.RunID)
	if err != nil {
		return versionAccuracy{}, fmt.Errorf("read the run of version %s: %w", version, err)
	}
	size, err := strconv.Atoi(run.Params["train_size"])
	if err != nil {
		return versionAccuracy{}, fmt.Errorf("run %s: train_size: %w", v.RunID, err)
	}
	return versionAccuracy{accuracy: run.Metrics[steps.Accuracy], clean: run.Metrics[steps.AccuracyClean], trainSize: size}, nil
}
