package tracker

import (
	"context"
	"database/sql"
)

type updateExperimentRequest struct {
	ID   experimentID `json:"experiment_id" required:"true"`
	Name string       `json:"new_name" required:"true"`
}

func (t *Tracker) updateExperiment(ctx context.Context, q *updateExperimentRequest) (any, error) {
	if err := checkExperimentName(q.Name); err != nil {
		return nil, err
	}
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := findExperiment(ctx, tx, q.ID)
		if err != nil {
			return err
		}
		if e.Stage != active {
			return &apiError{badState, "Cannot rename a non-active experiment."}
		}
		err = execute(ctx, tx, `UPDATE experiments SET name = ?, updated = ? WHERE id = ?`, q.Name, t.now(), e.ID)
		if taken(err) {
			return exists("Experiment(name=%s) already exists.", q.Name)
		}
		return err
	})
}

func (t *Tracker) deleteExperiment(ctx context.Context, q *experimentRequest) (any, error) {
	return t.moveExperiment(ctx, q.ID, active, deleted)
}

func (t *Tracker) restoreExperiment(ctx context.Context, q *experimentRequest) (any, error) {
	return t.moveExperiment(ctx, q.ID, deleted, active)
}

// moveExperiment deletes or restores the runs too, as MLflow does.
func (t *Tracker) moveExperiment(ctx context.Context, id experimentID, from, to string) (any, error) {
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := findExperiment(ctx, tx, id)
		if err != nil {
			return err
		}
		if e.Stage != from {
			return missing("No Experiment with id=%s exists", id)
		}
		if err := execute(ctx, tx, `UPDATE experiments SET stage = ?, updated = ? WHERE id = ?`, to, t.now(), e.ID); err != nil {
			return err
		}
		return execute(ctx, tx, `UPDATE runs SET stage = ? WHERE experiment = ?`, to, e.ID)
	})
}

type experimentTagRequest struct {
	ID    experimentID `json:"experiment_id" required:"true"`
	Key   string       `json:"key" required:"true"`
	Value string       `json:"value"`
}

func (t *Tracker) setExperimentTag(ctx context.Context, q *experimentTagRequest) (any, error) {
	if err := checkTags("tag", []tag{{q.Key, q.Value}}, maxExperimentValue); err != nil {
		return nil, err
	}
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		e, err := activeExperiment(ctx, tx, q.ID)
		if err != nil {
			return err
		}
		return execute(ctx, tx, `INSERT INTO experiment_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, e.ID, q.Key, q.Value)
	})
}
