package demo

import (
	"context"
	"fmt"
	"strconv"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
)

// worth is what the registry says of a version.
type worth struct {
	accuracy  float64 // on the held-out digits as they come now
	clean     float64 // on those that nothing has spoilt
	trainSize int
}

// worthOf reads it from the run that trained the version.
func (st *debugStage) worthOf(ctx context.Context, version string) (worth, error) {
	v, err := st.mlflow.Version(ctx, steps.DefaultModel, version)
	if err != nil {
		return worth{}, fmt.Errorf("read version %s from the registry: %w", version, err)
	}
	run, err := st.mlflow.Run(ctx, v.RunID)
	if err != nil {
		return worth{}, fmt.Errorf("read the run of version %s: %w", version, err)
	}
	size, err := strconv.Atoi(run.Params["train_size"])
	if err != nil {
		return worth{}, fmt.Errorf("run %s: train_size: %w", v.RunID, err)
	}
	return worth{accuracy: run.Metrics[steps.Accuracy], clean: run.Metrics[steps.AccuracyClean], trainSize: size}, nil
}
