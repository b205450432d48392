package tracker

import (
	"context"
	"database/sql"
	"errors"
)

// model is MLflow's message RegisteredModel.
type model struct {
	Name        string    `json:"name"`
	Created     int64     `json:"creation_timestamp"`
	Updated     int64     `json:"last_updated_timestamp"`
	Description string    `json:"description,omitempty"`
	Latest      []version `json:"latest_versions,omitempty"` // of each stage
	Tags        []tag     `json:"tags,omitempty"`
	Aliases     []alias   `json:"aliases,omitempty"`
}

// alias is a name that stands for a version of a model.
type alias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

const (
	modelColumns = `SELECT m.id, m.name, m.created, m.updated, m.description FROM models m`
	putModelTag  = `INSERT INTO model_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
)

type createModelRequest struct {
	Name        string `json:"name" required:"true"`
	Description string `json:"description"`
	Tags        []tag  `json:"tags"`
}

type modelAnswer struct {
	Model model `json:"registered_model"`
}

func (t *Tracker) createModel(ctx context.Context, q *createModelRequest) (any, error) {
	if err := errors.Join(checkModelName(q.Name), checkTags("Registered model", q.Tags, maxRegistryValue)); err != nil {
		return nil, err
	}
	var answer modelAnswer
	return &answer, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := t.now()
		var id int64
		err := tx.QueryRowContext(ctx, `INSERT INTO models (name, description, created, updated) VALUES (?, ?, ?, ?) RETURNING id`, q.Name, q.Description, now, now).Scan(&id)
		if taken(err) {
			return exists("Registered Model (name=%s) already exists.", q.Name)
		}
		if err != nil {
			return err
		}
		if err := setTags(ctx, tx, putModelTag, q.Tags, id); err != nil {
			return err
		}
		_, answer.Model, err = findModel(ctx, tx, q.Name)
		return err
	})
}

type modelRequest struct {
	Name string `json:"name" required:"true"`
}

func (t *Tracker) getModel(ctx context.Context, q *modelRequest) (any, error) {
	var answer modelAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		_, answer.Model, err = findModel(ctx, tx, q.Name)
		return err
	})
}

func findModel(ctx context.Context, tx *sql.Tx, name string) (id int64, m model, err error) {
	found, ids, err := readModels(ctx, tx, modelColumns+` WHERE m.name = ?`, name)
	if err != nil {
		return 0, model{}, err
	}
	if len(found) == 0 {
		return 0, model{}, missing("Registered Model with name=%s not found", shorten(name))
	}
	return ids[0], found[0], nil
}

// modelID returns the row id of a model.
func modelID(ctx context.Context, tx *sql.Tx, name string) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM models WHERE name = ?`, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = missing("Registered Model with name=%s not found", shorten(name))
	}
	return id, err
}

// readModels reads the rows of a query for modelColumns, with their related rows.
func readModels(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []model, ids []int64, err error) {
	at := map[int64]int{}
	err = each(ctx, tx, query, args, func(scan func(...any) error) error {
		var m model
		var id int64
		err := scan(&id, &m.Name, &m.Created, &m.Updated, &m.Description)
		at[id] = len(out)
		out, ids = append(out, m), append(ids, id)
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, nil, err
	}
	these := list(ids)
	err = each(ctx, tx, `SELECT model, key, value FROM model_tags WHERE model IN (SELECT value FROM json_each(?)) ORDER BY model, key`, []any{these}, func(scan func(...any) error) error {
		var id int64
		var g tag
		err := scan(&id, &g.Key, &g.Value)
		m := &out[at[id]]
		m.Tags = append(m.Tags, g)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = each(ctx, tx, `SELECT model, alias, version FROM aliases WHERE model IN (SELECT value FROM json_each(?)) ORDER BY model, alias`, []any{these}, func(scan func(...any) error) error {
		var id int64
		var a alias
		err := scan(&id, &a.Alias, &a.Version)
		m := &out[at[id]]
		m.Aliases = append(m.Aliases, a)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	latest, err := latestVersions(ctx, tx, these)
	for _, v := range latest {
		m := &out[at[v.model]]
		m.Latest = append(m.Latest, v)
	}
	return out, ids, err
}

type renameModelRequest struct {
	Name string `json:"name" required:"true"`
	New  string `json:"new_name" required:"true"`
}

func (t *Tracker) renameModel(ctx context.Context, q *renameModelRequest) (any, error) {
	if err := checkModelName(q.New); err != nil {
		return nil, err
	}
	return t.changeModel(ctx, q.Name, q.New, func(ctx context.Context, tx *sql.Tx, id, now int64) error {
		err := execute(ctx, tx, `UPDATE models SET name = ?, updated = ? WHERE id = ?`, q.New, now, id)
		if taken(err) {
			return exists("Registered Model (name=%s) already exists.", q.New)
		}
		if err != nil {
			return err
		}
		return execute(ctx, tx, `UPDATE versions SET updated = ? WHERE model = ?`, now, id)
	})
}

// changeModel changes a model and returns its new state.
func (t *Tracker) changeModel(ctx context.Context, name, after string, do func(ctx context.Context, tx *sql.Tx, id, now int64) error) (any, error) {
	var answer modelAnswer
	return &answer, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, err := modelID(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := do(ctx, tx, id, t.now()); err != nil {
			return err
		}
		_, answer.Model, err = findModel(ctx, tx, after)
		return err
	})
}

type updateModelRequest struct {
	Name        string `json:"name" required:"true"`
	Description string `json:"description"`
}

func (t *Tracker) updateModel(ctx context.Context, q *updateModelRequest) (any, error) {
	return t.changeModel(ctx, q.Name, q.Name, func(ctx context.Context, tx *sql.Tx, id, now int64) error {
		return execute(ctx, tx, `UPDATE models SET description = ?, updated = ? WHERE id = ?`, q.Description, now, id)
	})
}

// deleteModel deletes a model with all its versions, permanently.
func (t *Tracker) deleteModel(ctx context.Context, q *modelRequest) (any, error) {
	return t.onModel(ctx, q.Name, func(ctx context.Context, tx *sql.Tx, id int64) error {
		return execute(ctx, tx, `DELETE FROM models WHERE id = ?`, id)
	})
}

// onModel runs a function in a transaction on a model.
func (t *Tracker) onModel(ctx context.Context, name string, do func(context.Context, *sql.Tx, int64) error) (any, error) {
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, err := modelID(ctx, tx, name)
		if err != nil {
			return err
		}
		return do(ctx, tx, id)
	})
}

type modelTagRequest struct {
	Name  string `json:"name" required:"true"`
	Key   string `json:"key" required:"true"`
	Value string `json:"value"`
}

func (t *Tracker) setModelTag(ctx context.Context, q *modelTagRequest) (any, error) {
	tags := []tag{{q.Key, q.Value}}
	if err := checkTags("Registered model", tags, maxRegistryValue); err != nil {
		return nil, err
	}
	return t.onModel(ctx, q.Name, func(ctx context.Context, tx *sql.Tx, id int64) error {
		return setTags(ctx, tx, putModelTag, tags, id)
	})
}

// deleteModelTag accepts a tag that does not exist, as MLflow does.
func (t *Tracker) deleteModelTag(ctx context.Context, q *modelTagRequest) (any, error) {
	return t.onModel(ctx, q.Name, func(ctx context.Context, tx *sql.Tx, id int64) error {
		return execute(ctx, tx, `DELETE FROM model_tags WHERE model = ? AND key = ?`, id, q.Key)
	})
}
