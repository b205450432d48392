package tracker

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// The stages of a version, which MLflow keeps for old clients; aliases replace them.
var stages = []string{"None", "Staging", "Production", archived}

const (
	archived = "Archived"
	// gone is the stage of a deleted version in MLflow's databases.
	gone = "Deleted_Internal"
)

// canonicalStage finds a stage by its name in any case.
func canonicalStage(stage string) (string, error) {
	for _, s := range stages {
		if strings.EqualFold(s, stage) {
			return s, nil
		}
	}
	return "", invalid("Invalid Model Version stage: %s. Value must be one of %s.", shorten(stage), strings.Join(stages, ", "))
}

type transitionRequest struct {
	Name    string `json:"name" required:"true"`
	Version string `json:"version" required:"true"`
	Stage   string `json:"stage" required:"true"`
	Archive bool   `json:"archive_existing_versions"`
}

func (t *Tracker) transition(ctx context.Context, q *transitionRequest) (any, error) {
	stage, err := canonicalStage(q.Stage)
	if err != nil {
		return nil, err
	}
	if q.Archive && (stage == archived || stage == "None") {
		return nil, invalid("Model version transition cannot archive existing model versions because '%s' is not an Active stage. Valid stages are Staging, Production", q.Stage)
	}
	return t.changeVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version, now int64) error {
		if q.Archive {
			if err := execute(ctx, tx, `UPDATE versions SET stage = ?, updated = ? WHERE model = ? AND version != ? AND stage = ?`, archived, now, v.model, v.number, stage); err != nil {
				return err
			}
		}
		if err := execute(ctx, tx, `UPDATE versions SET stage = ?, updated = ? WHERE model = ? AND version = ?`, stage, now, v.model, v.number); err != nil {
			return err
		}
		return execute(ctx, tx, `UPDATE models SET updated = ? WHERE id = ?`, now, v.model)
	})
}

type latestRequest struct {
	Name   string   `json:"name" required:"true"`
	Stages []string `json:"stages"`
}

type versionsAnswer struct {
	Versions []version `json:"model_versions,omitempty"`
	Next     string    `json:"next_page_token,omitempty"`
}

// getLatest returns the newest version of each requested stage, or of all stages.
func (t *Tracker) getLatest(ctx context.Context, q *latestRequest) (any, error) {
	wanted := stages
	if len(q.Stages) > 0 {
		wanted = nil
	}
	for _, s := range q.Stages {
		stage, err := canonicalStage(s)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, stage)
	}
	var answer versionsAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, err := modelID(ctx, tx, q.Name)
		if err != nil {
			return err
		}
		latest, err := latestVersions(ctx, tx, list([]int64{id}))
		answer.Versions = slices.DeleteFunc(latest, func(v version) bool { return !slices.Contains(wanted, v.Stage) })
		return err
	})
}
