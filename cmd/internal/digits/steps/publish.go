package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Publish trains a first model on the base, registers it, and puts it into
// production, unless something is there already. It has seen no drift, and is
// measured on the held-out digits as they are.
func (s *Steps) Publish(ctx context.Context, parts digits.Parts, seed uint64) (Candidate, error) {
	c, err := s.publish(ctx, parts, seed)
	if err != nil {
		return c, fmt.Errorf("publish: %w", err)
	}
	return c, nil
}

func (s *Steps) publish(ctx context.Context, parts digits.Parts, seed uint64) (Candidate, error) {
	v, err := s.Client.VersionByAlias(ctx, s.Model, Production)
	if err == nil {
		return Candidate{s.Model, v.Version, v.RunID}, s.printf("%s version %s is in production already", s.Model, v.Version)
	}
	if !errors.Is(err, mlflow.ErrNotFound) {
		return Candidate{}, err
	}
	c, err := s.first(ctx, parts, seed)
	if err != nil {
		return c, err
	}
	v, err = s.Client.Version(ctx, c.Model, c.Version)
	if err != nil {
		return c, err
	}
	m, err := registry.Load(ctx, s.Client, v)
	if err != nil {
		return c, err
	}
	values, err := measure(m, HeldOutSets{Drifted: parts.Held, Clean: parts.Held})
	if err != nil {
		return c, err
	}
	if err := s.evaluated(ctx, c, values); err != nil {
		return c, err
	}
	if err := s.Client.SetAlias(ctx, c.Model, Production, c.Version); err != nil {
		return c, err
	}
	return c, s.printf("%s version %s is in production: accuracy %.4f on %d held-out digits", c.Model, c.Version, values[Accuracy], parts.Held.Len())
}

// first is a version that an earlier attempt has registered, or a new one.
func (s *Steps) first(ctx context.Context, parts digits.Parts, seed uint64) (Candidate, error) {
	registered, err := s.Client.SearchVersions(ctx, "name = "+mlflow.Literal(s.Model), nil, 1)
	if err != nil {
		return Candidate{}, err
	}
	if len(registered) > 0 {
		return Candidate{s.Model, registered[0].Version, registered[0].RunID}, nil
	}
	t := Lesson{Base: parts.Base, Test: parts.Held, Seed: seed}
	return s.logged(ctx, "first", map[string]string{"round": "0"}, t, func(o digits.TrainOptions) (*digits.Model, error) {
		return digits.TrainFirst(ctx, digits.Dataset{Train: parts.Base, Test: parts.Held, Source: parts.Source}, o)
	})
}
