package steps

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// The metrics and the tag of a run that say how good its model is.
const (
	Accuracy      = "accuracy"       // on the held-out digits as they come now
	AccuracyClean = "accuracy_clean" // on held-out digits that nothing has spoilt
	HeldOutCount  = "held_out"       // how many digits Accuracy is of
	EvaluatedTag  = "evaluated"      // "true"
)

// HeldOutSets are digits that no model was trained on.
type HeldOutSets struct {
	Drifted digits.Set // as they come now
	Clean   digits.Set
}

// heldSeed separates the draws for held-out digits from those of a stream.
const heldSeed = 0x68656c64

// HeldOut has clean digits drift, fully, each by its own draw of the seed.
func HeldOut(clean digits.Set, mix corrupt.Mix, seed uint64) HeldOutSets {
	return HeldOutSets{Drifted: mix.ApplyAll(clean, seed^heldSeed), Clean: clean}
}

// Evaluate measures a candidate and the version in production on the same held-out
// digits. What production is worth now becomes a further value of its own run's
// metric, at the step of the candidate's version number; only then is the candidate's
// run given its values, and FINISHED.
func (s *Steps) Evaluate(ctx context.Context, c Candidate, held HeldOutSets) error {
	if err := s.evaluate(ctx, c, held); err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	return nil
}

func (s *Steps) evaluate(ctx context.Context, c Candidate, held HeldOutSets) error {
	v, err := s.Client.Version(ctx, c.Model, c.Version)
	if err != nil {
		return err
	}
	m, err := registry.Load(ctx, s.Client, v)
	if err != nil {
		return err
	}
	p, pm, err := s.production(ctx)
	if err != nil {
		return err
	}
	now, err := measure(pm, held)
	if err != nil {
		return err
	}
	values, err := measure(m, held)
	if err != nil {
		return err
	}
	if p.RunID != c.RunID {
		if err := s.Client.LogBatch(ctx, p.RunID, s.metrics(c.number(), now), nil, nil); err != nil {
			return err
		}
	}
	if err := s.evaluated(ctx, c, values); err != nil {
		return err
	}
	return s.printf("%s version %s: accuracy %.4f on %d held-out digits, version %s in production has %.4f; on clean ones %.4f and %.4f",
		c.Model, c.Version, values[Accuracy], held.Drifted.Len(), p.Version, now[Accuracy], values[AccuracyClean], now[AccuracyClean])
}

// evaluated completes the run of a training.
func (s *Steps) evaluated(ctx context.Context, c Candidate, values map[string]float64) error {
	if err := s.Client.LogBatch(ctx, c.RunID, s.metrics(c.number(), values), nil, map[string]string{EvaluatedTag: "true"}); err != nil {
		return err
	}
	return s.Client.EndRun(ctx, c.RunID, mlflow.Finished, s.Now())
}

func measure(m *digits.Model, held HeldOutSets) (map[string]float64, error) {
	drifted, err := digits.Evaluate(m, held.Drifted)
	if err != nil {
		return nil, err
	}
	clean, err := digits.Evaluate(m, held.Clean)
	if err != nil {
		return nil, err
	}
	return map[string]float64{Accuracy: drifted.Accuracy, AccuracyClean: clean.Accuracy, HeldOutCount: float64(drifted.Count)}, nil
}
