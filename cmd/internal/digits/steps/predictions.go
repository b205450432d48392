package steps

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/predictionlog"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

const (
	// untilParam is the time up to which a detection loaded predictions, in milliseconds since 1970.
	untilParam = "until_ms"
	// batchesArtifact lists the batches that a detection has scored.
	batchesArtifact = "batches.txt"
	// lookBack bounds the lag of a server's clock and the delay of a batch: batches of that time
	// before the last detection are read again.
	lookBack = 10 * time.Minute
	// mostPredictions bounds the predictions of a detection. If there are more, the latest are
	// loaded, and the others never scored.
	mostPredictions = 20_000
)

// LoadPredictions returns the predictions that servers logged up to a time and that no finished
// detection has scored, oldest batch first.
func (s *Steps) LoadPredictions(ctx context.Context, until time.Time) ([]samples.Sample, error) {
	all, err := s.loadPredictions(ctx, until)
	if err != nil {
		return nil, fmt.Errorf("load predictions: %w", err)
	}
	return all, nil
}

func (s *Steps) loadPredictions(ctx context.Context, until time.Time) ([]samples.Sample, error) {
	since, scored, err := s.scored(ctx)
	if err != nil {
		return nil, err
	}
	filter := fmt.Sprintf("%s and attributes.end_time > %d and attributes.end_time <= %d", finished, since.UnixMilli(), until.UnixMilli())
	batches, err := s.runs(ctx, s.Predictions, filter)
	if err != nil {
		return nil, err
	}
	var all []samples.Sample
	read := 0
	for i := len(batches) - 1; i >= 0 && len(all) < mostPredictions; i-- {
		if scored[batches[i].ID] {
			continue
		}
		batch, err := s.download(ctx, batches[i].ID, predictionlog.Artifact)
		if errors.Is(err, mlflow.ErrNotFound) { // somebody has tidied up
			if err := s.printf("run %s has no predictions any more, and is left out", batches[i].ID); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(batch, all...)
		read++
	}
	return all, s.printf("%d predictions, of %d batches that no detection has scored", len(all), read)
}

// scored returns the batches scored by detections that ended after since.
func (s *Steps) scored(ctx context.Context) (since time.Time, batches map[string]bool, err error) {
	detections, err := s.runs(ctx, s.Critical, finished)
	if err != nil {
		return since, nil, err
	}
	for i := range detections {
		if until := untilOf(&detections[i]); until.After(since) {
			since = until
		}
	}
	if !since.IsZero() {
		since = since.Add(-lookBack)
	} else {
		since = time.UnixMilli(0)
	}
	batches = map[string]bool{}
	for i := range detections {
		if untilOf(&detections[i]).Before(since) {
			continue
		}
		if err := s.scoredBy(ctx, detections[i].ID, batches); err != nil {
			return since, nil, err
		}
	}
	return since, batches, nil
}

func untilOf(detection *mlflow.Run) time.Time {
	ms, err := strconv.ParseInt(detection.Params[untilParam], 10, 64)
	if err != nil {
		return time.Time{} // none of ours
	}
	return time.UnixMilli(ms)
}

func (s *Steps) scoredBy(ctx context.Context, detection string, batches map[string]bool) error {
	body, err := s.Client.DownloadArtifact(ctx, detection, batchesArtifact)
	if errors.Is(err, mlflow.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", batchesArtifact, detection, err)
	}
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		batches[lines.Text()] = true
	}
	if err := errors.Join(lines.Err(), body.Close()); err != nil {
		return fmt.Errorf("%s of run %s: %w", batchesArtifact, detection, err)
	}
	return nil
}
