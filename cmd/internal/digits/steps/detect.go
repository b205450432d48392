package steps

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/critical"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

const (
	// referenceArtifact is the reference for a scorer's novelty: a part of a model's base
	// training set, and all samples that were picked for it.
	referenceArtifact = "data/reference.zip"
	// referenceBase is the size of that part.
	referenceBase = 2000
)

// Detect scores samples for the model in production (critical.Scorer).
func (s *Steps) Detect(ctx context.Context, all []samples.Sample) error {
	if err := s.detect(ctx, all); err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	return nil
}

func (s *Steps) detect(ctx context.Context, all []samples.Sample) error {
	if len(all) == 0 {
		return s.printf("there is nothing to score")
	}
	v, m, err := s.production(ctx)
	if err != nil {
		return err
	}
	reference, err := s.download(ctx, v.RunID, referenceArtifact)
	if err != nil {
		return err
	}
	scorer, err := critical.NewScorer(m, samples.Labelled(reference))
	if err != nil {
		return err
	}
	var sum float64
	for i, score := range scorer.Score(samples.Images(all)) {
		all[i].Score = score
		sum += score
	}
	return s.printf("%d samples scored for %s version %s: mean score %.3f", len(all), s.Model, v.Version, sum/float64(len(all)))
}

// production returns the version in production and its model.
func (s *Steps) production(ctx context.Context) (mlflow.Version, *digits.Model, error) {
	v, err := registry.Find(ctx, s.Client, fmt.Sprintf("models:/%s@%s", s.Model, Production))
	if err != nil {
		return v, nil, err
	}
	m, err := registry.Load(ctx, s.Client, v)
	return v, m, err
}

// keepReference stores a scorer's reference as an artifact of a run.
func (s *Steps) keepReference(ctx context.Context, runID string, base, picked digits.Set) error {
	base = base.Slice(0, min(base.Len(), referenceBase))
	return s.upload(ctx, runID, referenceArtifact, samples.FromSet(digits.Join(base, picked)))
}
