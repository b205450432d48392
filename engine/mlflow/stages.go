package mlflow

import (
	"context"
	"strings"
)

// The stages of a version.
const (
	StageNone       = "None"
	StageStaging    = "Staging"
	StageProduction = "Production"
	StageArchived   = "Archived"
)

// TransitionStage moves a version to a stage; archiveOthers archives those that were
// in it.
func (c *Client) TransitionStage(ctx context.Context, model, version, stage string, archiveOthers bool) error {
	in := map[string]any{"name": model, "version": version, "stage": stage, "archive_existing_versions": archiveOthers}
	return c.post(ctx, "model-versions/transition-stage", in, nil)
}

// StageOf returns the stage that replaces an alias on a server without aliases: Production for
// production, Staging for staging, Archived for archived.
func StageOf(alias string) (stage string, ok bool) {
	for _, s := range []string{StageProduction, StageStaging, StageArchived} {
		if strings.EqualFold(s, alias) {
			return s, true
		}
	}
	return "", false
}
