package tracker

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
)

// experiment is MLflow's message of that name.
type experiment struct {
	ID       string `json:"experiment_id"`
	Name     string `json:"name"`
	Location string `json:"artifact_location"`
	Stage    string `json:"lifecycle_stage"`
	Updated  int64  `json:"last_update_time"`
	Created  int64  `json:"creation_time"`
	Tags     []tag  `json:"tags,omitempty"`
}

// tag is a key with its value, of any entity; a parameter has the same shape.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type empty struct{}

// experimentID is an id in a request. Clients before MLflow 1.0 send a number.
type experimentID string

// UnmarshalJSON accepts "1" and 1.
func (e *experimentID) UnmarshalJSON(raw []byte) error {
	if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		*e = experimentID(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(e))
}

const (
	defaultExperiment = "0"
	experimentColumns = `SELECT e.id, e.name, e.location, e.stage, e.updated, e.created FROM experiments e`
)

// createDefault creates the experiment that clients log to if they name none.
func (t *Tracker) createDefault(ctx context.Context, tx *sql.Tx) error {
	now := t.now()
	return execute(ctx, tx, `INSERT INTO experiments VALUES (0, 'Default', ?, 'active', ?, ?)`, experimentLocation(0), now, now)
}

func experimentLocation(id int64) string { return artifactScheme + ":/" + strconv.FormatInt(id, 10) }

type createExperimentRequest struct {
	Name     string `json:"name" required:"true"`
	Location string `json:"artifact_location"`
	Tags     []tag  `json:"tags"`
}

type experimentIDAnswer struct {
	ID string `json:"experiment_id"`
}

func (t *Tracker) createExperiment(ctx context.Context, q *createExperimentRequest) (any, error) {
	if err := errors.Join(checkExperimentName(q.Name), checkLocation(q.Location), checkTags("tag", q.Tags, maxExperimentValue)); err != nil {
		return nil, err
	}
	var id int64
	err := t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := t.now()
		row := tx.QueryRowContext(ctx, `INSERT INTO experiments (name, location, stage, created, updated) VALUES (?, ?, 'active', ?, ?) RETURNING id`, q.Name, q.Location, now, now)
		if err := row.Scan(&id); err != nil {
			if taken(err) {
				return exists("Experiment(name=%s) already exists.", q.Name)
			}
			return err
		}
		if q.Location == "" {
			if err := execute(ctx, tx, `UPDATE experiments SET location = ? WHERE id = ?`, experimentLocation(id), id); err != nil {
				return err
			}
		}
		return setTags(ctx, tx, `INSERT INTO experiment_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, q.Tags, id)
	})
	return experimentIDAnswer{strconv.FormatInt(id, 10)}, err
}

type experimentRequest struct {
	ID experimentID `json:"experiment_id" required:"true"`
}

type experimentAnswer struct {
	Experiment experiment `json:"experiment"`
}

func (t *Tracker) getExperiment(ctx context.Context, q *experimentRequest) (any, error) {
	var e experiment
	err := t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		e, err = findExperiment(ctx, tx, q.ID)
		return err
	})
	return experimentAnswer{e}, err
}

type experimentNameRequest struct {
	Name string `json:"experiment_name" required:"true"`
}

func (t *Tracker) getExperimentByName(ctx context.Context, q *experimentNameRequest) (any, error) {
	var found []experiment
	err := t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		found, err = readExperiments(ctx, tx, experimentColumns+` WHERE e.name = ?`, q.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, missing("Could not find experiment with name '%s'", q.Name)
	}
	return experimentAnswer{found[0]}, nil
}

// findExperiment finds an experiment, active or deleted.
func findExperiment(ctx context.Context, tx *sql.Tx, id experimentID) (experiment, error) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return experiment{}, missing("No Experiment with id=%s exists", shorten(string(id)))
	}
	found, err := readExperiments(ctx, tx, experimentColumns+` WHERE e.id = ?`, n)
	if err != nil {
		return experiment{}, err
	}
	if len(found) == 0 {
		return experiment{}, missing("No Experiment with id=%s exists", id)
	}
	return found[0], nil
}

// readExperiments reads the rows of a query for experimentColumns, with their tags.
func readExperiments(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]experiment, error) {
	var out []experiment
	at := map[int64]int{}
	var ids []int64
	err := each(ctx, tx, query, args, func(scan func(...any) error) error {
		var e experiment
		var id int64
		if err := scan(&id, &e.Name, &e.Location, &e.Stage, &e.Updated, &e.Created); err != nil {
			return err
		}
		e.ID = strconv.FormatInt(id, 10)
		at[id] = len(out)
		ids = append(ids, id)
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, each(ctx, tx, `SELECT experiment, key, value FROM experiment_tags WHERE experiment IN (SELECT value FROM json_each(?)) ORDER BY experiment, key`, []any{list(ids)}, func(scan func(...any) error) error {
		var id int64
		var g tag
		err := scan(&id, &g.Key, &g.Value)
		e := &out[at[id]]
		e.Tags = append(e.Tags, g)
		return err
	})
}

// list encodes values as a JSON list, for json_each.
func list[T any](values []T) string {
	raw, err := json.Marshal(values)
	if err != nil || values == nil {
		return `[]`
	}
	return string(raw)
}

func activeExperiment(ctx context.Context, tx *sql.Tx, id experimentID) (experiment, error) {
	e, err := findExperiment(ctx, tx, id)
	if err == nil && e.Stage != active {
		err = invalid("The experiment %s must be in the 'active' state. Current state is %s.", e.ID, e.Stage)
	}
	return e, err
}
