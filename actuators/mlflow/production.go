package mlflow

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// production is the version of a model in production, and where the tracker records it.
type production struct {
	version string // "" if there is none
	stage   string // used instead of the alias; "" if the tracker has aliases
}

// readProduction reads which version of a model is in production.
func readProduction(ctx context.Context, c *tracker.Client, model, alias string) (production, error) {
	v, err := c.VersionByAlias(ctx, model, alias)
	switch {
	case err == nil:
		return production{version: v.Version}, nil
	case errors.Is(err, tracker.ErrNotFound):
		return production{}, nil
	case !errors.Is(err, tracker.ErrNoAliases):
		return production{}, err
	}
	stage, has := tracker.StageOf(alias)
	if !has || stage == tracker.StageArchived {
		return production{}, fmt.Errorf("the tracker knows no aliases, and no stage stands for %q: use production or staging, or a newer MLflow", alias)
	}
	m, err := c.Model(ctx, model)
	if err != nil {
		return production{}, err
	}
	now := production{stage: stage}
	for _, v := range m.Latest {
		if v.Stage == stage && number(v.Version) > number(now.version) {
			now.version = v.Version
		}
	}
	return now, nil
}

// number parses the number of a version, which is larger for a newer one; 0 for none.
func number(version string) uint64 {
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readUsable reads a version. The error says why it may not go into production.
func readUsable(ctx context.Context, c *tracker.Client, model, version string) (tracker.Version, error) {
	v, err := c.Version(ctx, model, version)
	switch at, rolledBack := v.Tags[TagRolledBack]; {
	case errors.Is(err, tracker.ErrNotFound):
		return v, fmt.Errorf("model %s has no version %s: %w", model, version, err)
	case err != nil:
		return v, err
	case v.Status != "" && v.Status != tracker.Ready: // some trackers leave it out
		return v, fmt.Errorf("version %s of model %s is %s, not READY", version, model, v.Status)
	case rolledBack:
		return v, fmt.Errorf("version %s of model %s was rolled back at %s and is not put into production again; to allow it, delete its tag %s", version, model, at, TagRolledBack)
	}
	return v, nil
}

// set puts a version into production. Each verb does its other writes before it, except those
// that may fail without harm.
func (now production) set(ctx context.Context, c *tracker.Client, model, alias, version string) error {
	if now.stage == "" {
		return c.SetAlias(ctx, model, alias, version)
	}
	return c.TransitionStage(ctx, model, version, now.stage, true)
}

// label returns the alias, or the stage in its place, for messages.
func (now production) label(alias string) string {
	if now.stage == "" {
		return alias
	}
	return "stage " + now.stage
}

// orNone returns a version for messages.
func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// unarchive deletes the tag of an archived version.
func unarchive(ctx context.Context, c *tracker.Client, v tracker.Version) error {
	if _, archived := v.Tags[TagArchived]; !archived {
		return nil
	}
	return c.DeleteVersionTag(ctx, v.Model, v.Version, TagArchived)
}
