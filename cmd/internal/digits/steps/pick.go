package steps

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/critical"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// pickedArtifact holds the samples that a detection picked.
const pickedArtifact = "picked.zip"

// Picking configures a pick.
type Picking struct {
	Until     time.Time // the time up to which the samples were loaded
	Threshold float64   // a sample is critical above this score
	Most      int       // to pick at most; the highest scores first
}

// Pick logs a detection: of the samples whose label is known it keeps the critical
// ones, for a training. A detection up to a time is logged once, however often it is
// tried, and no batch is picked from twice.
func (s *Steps) Pick(ctx context.Context, all []samples.Sample, p Picking) error {
	if err := s.pick(ctx, all, p); err != nil {
		return fmt.Errorf("pick: %w", err)
	}
	return nil
}

func (s *Steps) pick(ctx context.Context, all []samples.Sample, p Picking) error {
	run, err := s.detection(ctx, p.Until)
	if err != nil {
		return err
	}
	if run.Status == mlflow.Finished {
		return s.printf("the detection up to %s is in run %s already", p.Until.UTC().Format(time.RFC3339), run.ID)
	}
	_, scored, err := s.scored(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(x samples.Sample) bool { return scored[batchOf(&x)] })
	f := find(all, p)
	err = s.upload(ctx, run.ID, pickedArtifact, f.picked)
	if err == nil {
		err = s.Client.UploadArtifact(ctx, run.ID, batchesArtifact, strings.NewReader(f.batches))
	}
	if err == nil {
		params := map[string]string{"threshold": strconv.FormatFloat(p.Threshold, 'g', -1, 64), "most": strconv.Itoa(p.Most)}
		err = s.Client.LogBatch(ctx, run.ID, s.metrics(0, f.metrics), params, nil)
	}
	if err == nil {
		err = s.Client.EndRun(ctx, run.ID, mlflow.Finished, s.Now())
	}
	if err != nil {
		return err
	}
	return s.printf("%d critical samples picked of %d above %g, of %d scored: run %s", len(f.picked), int(f.metrics["above"]), p.Threshold, len(all), run.ID)
}

// detection is the run of the detection up to a time: that of an earlier attempt, or
// a new one.
func (s *Steps) detection(ctx context.Context, until time.Time) (mlflow.Run, error) {
	ms := strconv.FormatInt(until.UnixMilli(), 10)
	earlier, err := s.runs(ctx, s.Critical, fmt.Sprintf("params.%s = '%s'", untilParam, ms))
	if err != nil {
		return mlflow.Run{}, err
	}
	for _, r := range earlier {
		if r.Status == mlflow.Finished {
			return r, nil
		}
	}
	if len(earlier) > 0 {
		return earlier[0], nil
	}
	run, err := s.begin(ctx, s.Critical, "detection", nil)
	if err != nil {
		return run, err
	}
	return run, s.Client.LogBatch(ctx, run.ID, nil, map[string]string{untilParam: ms}, nil)
}

// findings are the results of a detection.
type findings struct {
	picked  []samples.Sample
	batches string // the runs of all that was scored, one a line
	metrics map[string]float64
}

func find(all []samples.Sample, p Picking) findings {
	var f findings
	var labelled []samples.Sample
	var scores []float64
	var above, right float64
	batches := map[string]bool{}
	for i := range all {
		x := &all[i]
		batches[batchOf(x)] = true
		if x.Score > p.Threshold {
			above++
		}
		if x.Label == digits.NoClass {
			continue
		}
		labelled, scores = append(labelled, *x), append(scores, x.Score)
		if x.Label == x.Predicted {
			right++
		}
	}
	for _, i := range critical.Choose(scores, p.Threshold, p.Most) {
		f.picked = append(f.picked, labelled[i])
	}
	f.batches = strings.Join(slices.Sorted(maps.Keys(batches)), "\n")
	f.metrics = map[string]float64{
		"scored": float64(len(all)), "above": above, "labelled": float64(len(labelled)), "critical": float64(len(f.picked)),
	}
	if len(labelled) > 0 {
		f.metrics["accuracy"] = right / float64(len(labelled))
	}
	return f
}

// batchOf is the run that logged a sample.
func batchOf(x *samples.Sample) string {
	batch, _, _ := strings.Cut(x.ID, "/")
	return batch
}
