package tracker

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// run is MLflow's message of that name.
type run struct {
	Info   runInfo `json:"info"`
	Data   runData `json:"data"`
	Inputs empty   `json:"inputs"`
}

type runInfo struct {
	ID          string    `json:"run_id"`
	UUID        string    `json:"run_uuid"` // the id, under its old name
	Name        string    `json:"run_name"`
	Experiment  string    `json:"experiment_id"`
	User        string    `json:"user_id"`
	Status      runStatus `json:"status"`
	Started     int64     `json:"start_time"`
	Ended       int64     `json:"end_time,omitempty"`
	ArtifactURI string    `json:"artifact_uri"`
	Stage       string    `json:"lifecycle_stage"`
}

type runData struct {
	Metrics []metric `json:"metrics,omitempty"` // the latest of each
	Params  []tag    `json:"params,omitempty"`
	Tags    []tag    `json:"tags,omitempty"`
}

const (
	runNameTag = "mlflow.runName"
	runColumns = `SELECT r.seq, r.id, r.name, r.experiment, r.user, r.status, r.started, coalesce(r.ended, 0), r.artifact_uri, r.stage FROM runs r`
	putRunTag  = `INSERT INTO run_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
)

type createRunRequest struct {
	Experiment experimentID `json:"experiment_id"`
	User       string       `json:"user_id"`
	Name       string       `json:"run_name"`
	Started    *integer     `json:"start_time"`
	Tags       []tag        `json:"tags"`
}

type runAnswer struct {
	Run run `json:"run"`
}

func (t *Tracker) createRun(ctx context.Context, q *createRunRequest) (any, error) {
	if err := t.settleRun(q); err != nil {
		return nil, err
	}
	id, err := t.newRunID()
	if err != nil {
		return nil, err
	}
	var answer runAnswer
	err = t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := activeExperiment(ctx, tx, q.Experiment)
		if err != nil {
			return err
		}
		var seq int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO runs (id, experiment, name, user, status, started, stage, artifact_uri)
			VALUES (?, ?, ?, ?, 'RUNNING', ?, 'active', ?) RETURNING seq`,
			id, e.ID, q.Name, q.User, *q.Started, e.Location+"/"+id+"/artifacts").Scan(&seq); err != nil {
			return err
		}
		if err := setTags(ctx, tx, putRunTag, q.Tags, seq); err != nil {
			return err
		}
		_, answer.Run, err = findRun(ctx, tx, id)
		return err
	})
	return answer, err
}

// settleRun checks a new run and sets the defaults: MLflow's clients set a start time, and
// MLflow's server a name.
func (t *Tracker) settleRun(q *createRunRequest) error {
	if q.Experiment == "" {
		q.Experiment = defaultExperiment
	}
	if q.Started == nil {
		now := integer(t.now())
		q.Started = &now
	}
	tagged := ""
	for i, g := range q.Tags {
		if err := checkKey("tag", g.Key); err != nil {
			return err
		}
		q.Tags[i].Value = cut(g.Value, maxRunTagValue)
		if g.Key == runNameTag {
			tagged = q.Tags[i].Value
		}
	}
	switch {
	case q.Name != "" && tagged != "" && q.Name != tagged:
		return invalid("Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='%s', mlflow.runName='%s').", shorten(q.Name), shorten(tagged))
	case q.Name == "" && tagged != "":
		q.Name = tagged
	case q.Name == "":
		name, err := t.newRunName()
		if err != nil {
			return err
		}
		q.Name = name
	}
	q.Name = cut(q.Name, maxKey)
	q.Tags = append(q.Tags, tag{runNameTag, q.Name})
	return nil
}

// newRunID draws a random UUID, in hex without dashes.
func (t *Tracker) newRunID() (string, error) {
	b := make([]byte, 16)
	if err := t.random(b); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b), nil
}

func (t *Tracker) random(b []byte) error {
	t.draw.Lock()
	defer t.draw.Unlock()
	if _, err := io.ReadFull(t.opts.Random, b); err != nil {
		return fmt.Errorf("draw random bytes: %w", err)
	}
	return nil
}

type runRequest struct {
	ID string `json:"run_id" alias:"run_uuid" required:"true"`
}

func (t *Tracker) getRun(ctx context.Context, q *runRequest) (any, error) {
	var answer runAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		_, answer.Run, err = findRun(ctx, tx, q.ID)
		return err
	})
}

// findRun finds a run, active or deleted, and its row.
func findRun(ctx context.Context, tx *sql.Tx, id string) (seq int64, r run, err error) {
	found, seqs, err := readRuns(ctx, tx, runColumns+` WHERE r.id = ?`, id)
	if err != nil {
		return 0, run{}, err
	}
	if len(found) == 0 {
		return 0, run{}, missing("Run with id=%s not found", shorten(id))
	}
	return seqs[0], found[0], nil
}

// activeRun returns the row id of a run that may be written.
func activeRun(ctx context.Context, tx *sql.Tx, id string) (int64, error) {
	var seq int64
	var stage string
	err := tx.QueryRowContext(ctx, `SELECT seq, stage FROM runs WHERE id = ?`, id).Scan(&seq, &stage)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, missing("Run with id=%s not found", shorten(id))
	case err != nil:
		return 0, err
	case stage != active:
		return 0, invalid("The run %s must be in the 'active' state. Current state is %s.", id, stage)
	}
	return seq, nil
}

type updateRunRequest struct {
	ID     string    `json:"run_id" alias:"run_uuid" required:"true"`
	Status runStatus `json:"status"`
	Ended  *integer  `json:"end_time"`
	Name   string    `json:"run_name"`
}

type runInfoAnswer struct {
	Info runInfo `json:"run_info"`
}

func (t *Tracker) updateRun(ctx context.Context, q *updateRunRequest) (any, error) {
	var answer runInfoAnswer
	return &answer, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		seq, err := activeRun(ctx, tx, q.ID)
		if err != nil {
			return err
		}
		if err := execute(ctx, tx, `UPDATE runs SET status = coalesce(nullif(?, ''), status), ended = coalesce(?, ended) WHERE seq = ?`, string(q.Status), (*int64)(q.Ended), seq); err != nil {
			return err
		}
		if q.Name != "" {
			if err := renameRun(ctx, tx, seq, q.Name); err != nil {
				return err
			}
		}
		_, r, err := findRun(ctx, tx, q.ID)
		answer.Info = r.Info
		return err
	})
}

// renameRun changes the name and the tag with it.
func renameRun(ctx context.Context, tx *sql.Tx, seq int64, name string) error {
	name = cut(name, maxKey)
	if err := execute(ctx, tx, `UPDATE runs SET name = ? WHERE seq = ?`, name, seq); err != nil {
		return err
	}
	return execute(ctx, tx, putRunTag, seq, runNameTag, name)
}

func (t *Tracker) deleteRun(ctx context.Context, q *runRequest) (any, error) {
	return t.moveRun(ctx, q.ID, deleted)
}

func (t *Tracker) restoreRun(ctx context.Context, q *runRequest) (any, error) {
	return t.moveRun(ctx, q.ID, active)
}

func (t *Tracker) moveRun(ctx context.Context, id, stage string) (any, error) {
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE runs SET stage = ? WHERE id = ?`, stage, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return err
			}
			return missing("Run with id=%s not found", shorten(id))
		}
		return nil
	})
}
