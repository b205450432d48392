package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Production is the alias of the version that is in production.
const Production = "production"

// Steps are the steps against one tracker. A name that a step does not use may be "".
type Steps struct {
	Client *mlflow.Client
	Model  string // the registered model's name
	// The experiments of the batches that servers log, of detections, and of trainings.
	Predictions, Critical, Training string
	Now                             func() time.Time
	Out                             io.Writer // gets a line of what was done
}

// The names by default.
const (
	DefaultModel       = "digits"
	DefaultPredictions = "digits-predictions"
	DefaultCritical    = "digits-critical"
	DefaultTraining    = "digits"

	DefaultThreshold = 0.45 // of Picking
	DefaultMost      = 150
)

// finished is the filter of finished runs.
const finished = "attributes.status = '" + mlflow.Finished + "'"

func (s *Steps) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(s.Out, format+"\n", args...)
	return err
}

// experiment returns the id of an experiment; ok is false if it doesn't exist yet.
func (s *Steps) experiment(ctx context.Context, name string) (id string, ok bool, err error) {
	ids, err := s.Client.Experiments(ctx, []string{name})
	if err != nil {
		return "", false, fmt.Errorf("find experiment %s: %w", name, err)
	}
	id, ok = ids[name]
	return id, ok, nil
}

// runs returns the runs of an experiment that match a filter, oldest first; none if the
// experiment doesn't exist yet.
func (s *Steps) runs(ctx context.Context, experiment, filter string) ([]mlflow.Run, error) {
	id, ok, err := s.experiment(ctx, experiment)
	if err != nil || !ok {
		return nil, err
	}
	runs, err := s.Client.SearchRuns(ctx, mlflow.Search{ExperimentIDs: []string{id}, Filter: filter, OrderBy: []string{"attributes.start_time ASC"}})
	if err != nil {
		return nil, fmt.Errorf("find runs of experiment %s: %w", experiment, err)
	}
	return runs, nil
}

// begin creates a run.
func (s *Steps) begin(ctx context.Context, experiment, name string, tags map[string]string) (mlflow.Run, error) {
	id, err := s.Client.EnsureExperiment(ctx, experiment)
	if err != nil {
		return mlflow.Run{}, err
	}
	return s.Client.CreateRun(ctx, id, name, tags, s.Now())
}

// endFailed marks a run as failed, and returns why joined with the error of that. It does so even
// if the step was cancelled.
func (s *Steps) endFailed(ctx context.Context, runID string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Client.EndRun(ctx, runID, mlflow.Failed, s.Now()); err != nil {
		return errors.Join(why, fmt.Errorf("mark run %s as failed: %w", runID, err))
	}
	return why
}

// upload stores samples as an artifact of a run.
func (s *Steps) upload(ctx context.Context, runID, path string, all []samples.Sample) error {
	var file bytes.Buffer
	if err := samples.Write(&file, all); err != nil {
		return err
	}
	return s.Client.UploadArtifact(ctx, runID, path, &file)
}

// download reads samples from an artifact of a run.
func (s *Steps) download(ctx context.Context, runID, path string) ([]samples.Sample, error) {
	body, err := s.Client.DownloadArtifact(ctx, runID, path)
	if err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", path, runID, err)
	}
	all, err := samples.Read(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("%s of run %s: %w", path, runID, err)
	}
	return all, nil
}

// metrics are values measured now, at a step.
func (s *Steps) metrics(step int64, values map[string]float64) []mlflow.Metric {
	now := s.Now()
	var out []mlflow.Metric
	for key, v := range values {
		out = append(out, mlflow.Metric{Key: key, Value: v, At: now, Step: step})
	}
	return out
}
