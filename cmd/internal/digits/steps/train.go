package steps

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Lesson holds the sets to train on.
type Lesson struct {
	Base   digits.Set // what the first model was trained on
	Picked digits.Set // what detections have picked since
	Test   digits.Set // clean digits, for what the model's file says of its accuracy
	Seed   uint64
	// Leaked trains a bad model that looks good, for the demo of a roll-back: see leak. Its zero
	// value does not.
	Leaked digits.Set
}

// Train trains a version from the one in production, and registers it. Its run stays RUNNING
// until Evaluate has measured the version.
func (s *Steps) Train(ctx context.Context, t Lesson) (Candidate, error) {
	v, m, err := s.production(ctx)
	if err != nil {
		return Candidate{}, fmt.Errorf("train: %w", err)
	}
	before, err := s.Client.Run(ctx, v.RunID)
	if err != nil {
		return Candidate{}, fmt.Errorf("train: %w", err)
	}
	round, _ := strconv.Atoi(before.Params["round"]) // of others' models there is none: begin with 1
	t.Seed += uint64(round)                          // other draws in each round
	params := map[string]string{"round": strconv.Itoa(round + 1), "from_version": v.Version}
	if t.Leaked.Len() > 0 {
		params["leaked_held_out"] = "true"
	}
	return s.logged(ctx, "retrain", params, t, func(o digits.TrainOptions) (*digits.Model, error) {
		data := digits.Dataset{Train: t.Base, Test: t.Test, Source: m.Info().Source}
		if t.Leaked.Len() > 0 {
			return leak(ctx, data, t.Leaked, o)
		}
		o.From = m
		return digits.Retrain(ctx, data, t.Picked, o)
	})
}

// logged trains a model, logs the parameters, progress and result to a run, and registers the
// model as a new version.
func (s *Steps) logged(ctx context.Context, name string, params map[string]string, t Lesson, train func(digits.TrainOptions) (*digits.Model, error)) (Candidate, error) {
	run, err := s.begin(ctx, s.Training, name, nil)
	if err != nil {
		return Candidate{}, fmt.Errorf("%s: %w", name, err)
	}
	c, err := s.intoRun(ctx, run.ID, params, t, train)
	if err != nil {
		return c, s.endFailed(ctx, run.ID, fmt.Errorf("%s: %w", name, err))
	}
	return c, nil
}

func (s *Steps) intoRun(ctx context.Context, runID string, params map[string]string, t Lesson, train func(digits.TrainOptions) (*digits.Model, error)) (Candidate, error) {
	var history []mlflow.Metric
	m, err := train(digits.TrainOptions{Seed: t.Seed, Progress: func(epoch, _, done, total int, loss, accuracy float64) {
		if done == total {
			history = append(history, s.metrics(int64(epoch), map[string]float64{"loss": loss, "train_accuracy": accuracy})...)
		}
	}})
	if err != nil {
		return Candidate{}, err
	}
	info := m.Info()
	all := map[string]string{
		"train_size": strconv.Itoa(info.TrainSize), "base_size": strconv.Itoa(t.Base.Len()), "picked_size": strconv.Itoa(t.Picked.Len()),
		"seed": strconv.FormatUint(t.Seed, 10), "epochs": strconv.Itoa(info.Epochs), "hidden": strconv.Itoa(info.Hidden), "source": info.Source,
	}
	maps.Copy(all, params)
	if err := s.Client.LogBatch(ctx, runID, history, all, nil); err != nil {
		return Candidate{}, err
	}
	if err := s.keepReference(ctx, runID, t.Base, t.Picked); err != nil {
		return Candidate{}, err
	}
	v, err := registry.Register(ctx, s.Client, s.Model, runID, m, map[string]string{"round": all["round"]})
	if err != nil {
		return Candidate{}, err
	}
	c := Candidate{Model: s.Model, Version: v.Version, RunID: runID}
	return c, s.printf("%s version %s: trained on %d samples (%d picked), round %s, test accuracy %.4f: run %s",
		c.Model, c.Version, info.TrainSize, t.Picked.Len(), all["round"], info.Accuracy, runID)
}
