package predictionlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Artifact is the path of the predictions among a run's artifacts.
const Artifact = "predictions.zip"

// The metrics of a run.
const (
	Predictions    = "predictions"     // how many there are
	MeanConfidence = "mean_confidence" // of them all
)

// batch is a list of predictions that is being written to a run. It records the steps that are
// done, so that a retry writes nothing twice.
type batch struct {
	samples  []samples.Sample
	began    time.Time
	run      string // once it is made
	uploaded bool
	logged   bool
}

// write writes a batch, and retries while the error is retryable. The queue bounds the samples
// that wait meanwhile.
func (l *Log) write(ctx context.Context, all []samples.Sample) {
	b := &batch{samples: all, began: l.o.Now()}
	retry := backoff.Exponential{First: l.o.Pause, Most: 16 * l.o.Pause}
	for failures := 1; ; failures++ {
		err := l.attempt(ctx, b)
		switch {
		case err == nil:
			l.metrics.written.Add(float64(len(all)))
			return
		case ctx.Err() != nil:
			l.metrics.dropped.Add(float64(len(all)))
			l.cutOff = len(all)
			return
		case !mlflow.Retryable(err):
			l.metrics.dropped.Add(float64(len(all)))
			l.o.Logger.Error("predictions are lost", "count", len(all), "error", err)
			return
		}
		l.metrics.retries.Inc()
		l.o.Logger.Warn("predictions wait for the tracker", "waiting", len(all)+len(l.queue), "error", err)
		select {
		case <-time.After(retry.After(failures)):
		case <-ctx.Done():
		}
	}
}

// attempt does the remaining steps of a batch. The run becomes FINISHED last: readers ignore any
// other.
func (l *Log) attempt(ctx context.Context, b *batch) error {
	if l.experiment == "" {
		id, err := l.o.Client.EnsureExperiment(ctx, l.o.Experiment)
		if err != nil {
			return err
		}
		l.experiment = id
	}
	if b.run == "" {
		run, err := l.o.Client.CreateRun(ctx, l.experiment, "predictions", map[string]string{"model_version": l.o.Model, "writer": l.o.Writer}, b.began)
		if err != nil {
			return l.forget(err)
		}
		b.run = run.ID
		for i := range b.samples {
			b.samples[i].ID = fmt.Sprintf("%s/%d", run.ID, i)
		}
	}
	if !b.uploaded {
		var file bytes.Buffer
		err := samples.Write(&file, b.samples)
		if err == nil {
			err = l.o.Client.UploadArtifact(ctx, b.run, Artifact, &file)
		}
		if err != nil {
			return err
		}
		b.uploaded = true
	}
	if !b.logged {
		if err := l.o.Client.LogBatch(ctx, b.run, b.metrics(), nil, nil); err != nil {
			return err
		}
		b.logged = true
	}
	return l.o.Client.EndRun(ctx, b.run, mlflow.Finished, l.o.Now())
}

// forget makes the next attempt look up the experiment again if it was deleted.
func (l *Log) forget(err error) error {
	if errors.Is(err, mlflow.ErrNotFound) {
		l.experiment = ""
	}
	return err
}

func (b *batch) metrics() []mlflow.Metric {
	var sum float64
	for i := range b.samples {
		sum += b.samples[i].Confidence
	}
	count := float64(len(b.samples))
	return []mlflow.Metric{{Key: Predictions, Value: count, At: b.began}, {Key: MeanConfidence, Value: sum / count, At: b.began}}
}
